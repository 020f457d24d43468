"""A checkpoint folder becomes a model of the user's catalog: checked, converted or copied, described, and tried once.

Nothing half-imported is ever seen: all work is done in a hidden folder, and the entry file appears last. It knows files
and backends; what a checkpoint does is `recipes`'s. It never touches the network: `hub.py` does.
"""

from __future__ import annotations

import gc
import json
import math
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kunnafoni_models import registry
from kunnafoni_models.backend import Decoding, ModelFileError
from kunnafoni_models.backends.ctranslate2_encoder_decoder import TOKENIZER_FILES
from kunnafoni_models.backends.transformers_checkpoint import (
    TransformersTokenizer,
    load_config,
    load_model,
    load_tokenizer,
)
from kunnafoni_models.catalog.entry import CatalogEntry, Licence
from kunnafoni_models.catalog.installation import check_name, describe_file, install
from kunnafoni_models.importing.checkpoint_profile import ImportHints, recipe
from kunnafoni_models.importing.licence import read_licence

if TYPE_CHECKING:
    from collections.abc import Generator

    from kunnafoni_models.importing.checkpoint_profile import Recipe

_CARD_FILES = ("README.md", "LICENSE", "LICENSE.txt", "NOTICE")


@dataclass(frozen=True, slots=True)
class Order:
    """What to import and how.

    Attributes:
        checkpoint: Folder as transformers saves it.
        models_dir: The user's catalog folder; made if there is none.
        model_id: Name of the new model.
        base: Where the checkpoint comes from, for people.
        revision: Which build of it; empty for the first characters of the weights' digest.
        backend: `ctranslate2`, `transformers`, or `auto`: CTranslate2 where it has a converter.
        quantization: Of weights: on CTranslate2 `int8`, `float16`, `float32` or another of its names, on transformers
            a number format (its option `dtype`); empty for int8 on CTranslate2, and what suits the device on
            transformers.
        licence: Name of the licence; empty to read it off the model card.
        non_commercial: Whether the licence forbids commercial use; None to tell by its name.
        allow_unsafe: Take pickled weights, and code that comes with the checkpoint.
        wishes: What the checkpoint itself does not say.
        known: The built-in entry of the same checkpoint, whose limits and published quality are taken over, and the
            licence if the card states none; None if it is not in the catalog, or is used for something else.
    """

    checkpoint: Path
    models_dir: Path
    model_id: str
    base: str = ""
    revision: str = ""
    backend: str = "auto"
    quantization: str = ""
    licence: str = ""
    non_commercial: bool | None = None
    allow_unsafe: bool = False
    wishes: ImportHints = field(default_factory=ImportHints)
    known: CatalogEntry | None = None


def import_checkpoint(order: Order) -> CatalogEntry:
    """Do what `order` says and give the new entry.

    Raises:
        CatalogError: The name is taken or wrong, or too little is known of the model.
        ModelFileError: A file is missing or damaged, or the weights are pickled.
        ModelLoadError: No backend can run it.
        MissingExtraError: It is to be converted, and CTranslate2 is not installed.
    """
    check_name(order.models_dir, order.model_id)
    config = _checked(order)
    licence = read_licence(
        order.checkpoint,
        name=order.licence,
        non_commercial=order.non_commercial,
        otherwise=order.known.licence if order.known else None,
    )
    tokenizer = load_tokenizer(order.checkpoint, remote_code=order.allow_unsafe)
    on_ctranslate2 = _on_ctranslate2(order, own_code=bool(getattr(config, "auto_map", None)))
    if on_ctranslate2 and not order.quantization:
        order = replace(order, quantization="int8")
    # CTranslate2 reads a prompt in one go and then lets a sliding window look back beyond its edge.
    window = getattr(config, "sliding_window", None) if on_ctranslate2 else None
    found = recipe(config, tokenizer, TransformersTokenizer(tokenizer), order.wishes, max_prompt_tokens=window)
    order.models_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=order.models_dir, prefix=f".{order.model_id}-") as scratch:
        folder = Path(scratch) / order.model_id
        if on_ctranslate2:
            from kunnafoni_models.importing.ctranslate2_conversion import convert  # noqa: PLC0415 - needs an extra of its own

            convert(order.checkpoint, folder, quantization=order.quantization, pickled=order.allow_unsafe)
        else:
            _copy(order, folder)
        _save_tokenizer(tokenizer, folder, Path(scratch) / "tokenizer", everything=not on_ctranslate2)
        for name in _CARD_FILES:
            if (order.checkpoint / name).is_file():
                shutil.copyfile(order.checkpoint / name, folder / name)
        entry = _entry(order, found, licence, folder, on_ctranslate2=on_ctranslate2)
        _try(entry)
        return install(entry, order.models_dir)


def _checked(order: Order) -> Any:
    """The checkpoint's configuration, after its files have been found to be there and whole."""
    folder = order.checkpoint
    if not folder.is_dir():
        raise ModelFileError(f"{folder} is no folder: give a checkpoint's folder, or the id of one on the hub")
    config = load_config(folder, remote_code=order.allow_unsafe)
    if getattr(config, "auto_map", None) and not order.allow_unsafe:
        raise ModelFileError(
            f"{folder} brings code of its own: read it, and run it with --allow-unsafe if you trust it"
        )
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        for name in _parts(index):
            if not (folder / name).is_file():
                raise ModelFileError(f"{folder / name} is missing: copy the checkpoint again")
    elif not (folder / "model.safetensors").is_file() and not order.allow_unsafe:
        pickled = next((path.name for path in sorted(folder.glob("*.bin"))), None)
        if pickled:
            raise ModelFileError(
                f"{folder / pickled} is pickled and can run code when it is read: take a checkpoint with "
                "model.safetensors, or give --allow-unsafe if you trust its origin"
            )
        raise ModelFileError(f"{folder / 'model.safetensors'} is missing: copy the checkpoint again")
    return config


def _on_ctranslate2(order: Order, *, own_code: bool) -> bool:
    if order.backend != "auto" or own_code:
        return order.backend == "ctranslate2"
    from kunnafoni_models.importing.ctranslate2_conversion import convertible  # noqa: PLC0415 - needs an extra of its own

    return convertible(order.checkpoint)


def _copy(order: Order, folder: Path) -> None:
    """The weights as they are; pickled ones as safetensors, so that nothing pickled is read when serving."""
    folder.mkdir()
    if not list(order.checkpoint.glob("*.safetensors")):
        load_model(order.checkpoint, remote_code=order.allow_unsafe, pickled=True).save_pretrained(folder)
        gc.collect()
        return
    for pattern in ("*.safetensors", "model.safetensors.index.json", "config.json", "generation_config.json"):
        for path in sorted(order.checkpoint.glob(pattern)):
            shutil.copyfile(path, folder / path.name)
    if order.allow_unsafe:
        for path in sorted(order.checkpoint.glob("*.py")):
            shutil.copyfile(path, folder / path.name)


def _save_tokenizer(tokenizer: Any, folder: Path, scratch: Path, *, everything: bool) -> None:
    tokenizer.save_pretrained(scratch)
    for path in sorted(scratch.iterdir()):
        if path.is_file() and (everything or path.name in TOKENIZER_FILES - {"tokenizer_config.json", "vocab.json"}):
            shutil.copyfile(path, folder / path.name)
    if not everything and (folder / "tokenizer.json").is_file():
        # Some classes know of special tokens that their file does not tell.
        backend = tokenizer.backend_tokenizer
        backend.add_special_tokens([token for token in tokenizer.all_special_tokens if backend.token_to_id(token)])
        backend.save(str(folder / "tokenizer.json"))


def _entry(order: Order, found: Recipe, licence: Licence, folder: Path, *, on_ctranslate2: bool) -> CatalogEntry:
    files = tuple(describe_file(path) for path in sorted(folder.iterdir()))
    weights = next(file for file in files if file.name.endswith((".bin", ".safetensors")))
    options: dict[str, str | int | float | bool] = {"family": found.family} if found.family else {}
    if on_ctranslate2:
        options["compute_type"] = order.quantization
    elif order.quantization:
        options["dtype"] = order.quantization
    if not on_ctranslate2 and order.allow_unsafe and list(folder.glob("*.py")):
        options["remote_code"] = True
    return CatalogEntry(
        id=order.model_id,
        revision=order.revision or weights.sha256[:12],
        backend="ctranslate2" if on_ctranslate2 else "transformers",
        licence=licence,
        limits=order.known.limits if order.known else found.limits,
        languages=found.languages,
        directions=found.directions,
        summary_languages=found.summary_languages,
        files=files,
        folder=folder,
        prompts=found.prompts,
        base=order.base or order.checkpoint.name,
        parameters=_parameters(order.checkpoint),
        quality=order.known.quality if order.known else (),
        options=options,
    )


def _parameters(checkpoint: Path) -> int:
    """Number of weights, from the heads of the files; 0 if they are pickled."""
    count = 0
    for path in sorted(checkpoint.glob("*.safetensors")):
        with path.open("rb") as stream, _damage(path):
            length = int.from_bytes(stream.read(8), "little")
            head = json.loads(stream.read(min(length, path.stat().st_size)))
            count += sum(math.prod(tensor["shape"]) for name, tensor in head.items() if name != "__metadata__")
    return count


def _parts(index: Path) -> list[str]:
    """The files that the index of divided weights names."""
    with _damage(index):
        return sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))


@contextmanager
def _damage(path: Path) -> Generator[None]:
    """Say of a file that is no JSON where it should be what it is likely to be."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{path} is damaged, or a pointer of Git LFS: copy the checkpoint again") from error


def _try(entry: CatalogEntry) -> None:
    """Load the model as a server would and run it once, so that what is wrong is known now."""
    backend = registry.load(entry, device="cpu")
    try:
        if entry.directions:
            first = entry.directions[0]
            prompt = backend.translation_prompt("1", source=first.source, target=first.target)
        else:
            prompt = backend.summary_prompt("1", language=entry.summary_languages[0])
        backend.generate([replace(prompt, max_output_tokens=2)], Decoding())
    finally:
        backend.close()
