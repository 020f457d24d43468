"""Imports a checkpoint folder into the user's catalog: checks, converts or copies, describes, and runs it once.

A half-imported model is never visible: all work is done in a hidden folder, and the entry file appears last. This
module knows files and backends; `checkpoint_profile` knows what a checkpoint can do. It never touches the network:
`hub` does.
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
from kunnafoni_models.importing.checkpoint_profile import ImportHints, profile_checkpoint
from kunnafoni_models.importing.licence import read_licence

if TYPE_CHECKING:
    from collections.abc import Generator

    from kunnafoni_models.importing.checkpoint_profile import CheckpointProfile

_CARD_FILES = ("README.md", "LICENSE", "LICENSE.txt", "NOTICE")


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import and how.

    Attributes:
        checkpoint: Folder as transformers saves it.
        models_dir: The user's catalog folder; created if there is none.
        model_id: Id of the new model.
        base: Where the checkpoint comes from, for people.
        revision: Build of the checkpoint; empty for the first characters of the weights' digest.
        backend: `ctranslate2`, `transformers`, or `auto`: CTranslate2 if it has a converter.
        quantization: Of the weights: on CTranslate2 `int8`, `float16`, `float32` or another of its names, on
            transformers a number format (its option `dtype`). Empty is int8 on CTranslate2, and the default of the
            device on transformers.
        licence: Name of the licence; empty to read it from the model card.
        non_commercial: Whether the licence forbids commercial use; None to derive that from its name.
        allow_unsafe: Accept pickled weights, and code that comes with the checkpoint.
        hints: What the checkpoint itself does not say.
        catalog_entry: The built-in entry of the same checkpoint; its limits and published quality are taken over, and
            its licence if the card states none. None if the catalog has none, or the use differs.
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
    hints: ImportHints = field(default_factory=ImportHints)
    catalog_entry: CatalogEntry | None = None


def import_checkpoint(request: ImportRequest) -> CatalogEntry:
    """Import what `request` says and return the new entry.

    Raises:
        CatalogError: The id is taken or malformed, or too little is known of the model.
        ModelFileError: A file is missing or damaged, or the weights are pickled.
        ModelLoadError: No backend can run it.
        MissingExtraError: It needs a conversion, and CTranslate2 is not installed.
    """
    check_name(request.models_dir, request.model_id)
    config = _checked_config(request)
    licence = read_licence(
        request.checkpoint,
        name=request.licence,
        non_commercial=request.non_commercial,
        default=request.catalog_entry.licence if request.catalog_entry else None,
    )
    tokenizer = load_tokenizer(request.checkpoint, remote_code=request.allow_unsafe)
    on_ctranslate2 = _on_ctranslate2(request, own_code=bool(getattr(config, "auto_map", None)))
    if on_ctranslate2 and not request.quantization:
        request = replace(request, quantization="int8")
    # CTranslate2 prefills a whole prompt at once, and then a sliding window sees more tokens than it should.
    window = getattr(config, "sliding_window", None) if on_ctranslate2 else None
    profile = profile_checkpoint(
        config, tokenizer, TransformersTokenizer(tokenizer), request.hints, max_prompt_tokens=window
    )
    request.models_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=request.models_dir, prefix=f".{request.model_id}-") as scratch:
        folder = Path(scratch) / request.model_id
        if on_ctranslate2:
            from kunnafoni_models.importing.ctranslate2_conversion import convert  # noqa: PLC0415 - needs an extra of its own

            convert(request.checkpoint, folder, quantization=request.quantization, pickled=request.allow_unsafe)
        else:
            _copy(request, folder)
        _save_tokenizer(tokenizer, folder, Path(scratch) / "tokenizer", all_files=not on_ctranslate2)
        for name in _CARD_FILES:
            if (request.checkpoint / name).is_file():
                shutil.copyfile(request.checkpoint / name, folder / name)
        entry = _entry(request, profile, licence, folder, on_ctranslate2=on_ctranslate2)
        _run_once(entry)
        return install(entry, request.models_dir)


def _checked_config(request: ImportRequest) -> Any:
    """The checkpoint's configuration, after a check that all its files exist."""
    folder = request.checkpoint
    if not folder.is_dir():
        raise ModelFileError(f"{folder} is no folder: give a checkpoint's folder, or the id of one on the hub")
    config = load_config(folder, remote_code=request.allow_unsafe)
    if getattr(config, "auto_map", None) and not request.allow_unsafe:
        raise ModelFileError(f"{folder} has code of its own: read it, and run it with --allow-unsafe if you trust it")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        for name in _shards(index):
            if not (folder / name).is_file():
                raise ModelFileError(f"{folder / name} is missing: copy the checkpoint again")
    elif not (folder / "model.safetensors").is_file() and not request.allow_unsafe:
        pickled = next((path.name for path in sorted(folder.glob("*.bin"))), None)
        if pickled:
            raise ModelFileError(
                f"{folder / pickled} is pickled and can run code when it is read: take a checkpoint with "
                "model.safetensors, or give --allow-unsafe if you trust its origin"
            )
        raise ModelFileError(f"{folder / 'model.safetensors'} is missing: copy the checkpoint again")
    return config


def _on_ctranslate2(request: ImportRequest, *, own_code: bool) -> bool:
    if request.backend != "auto" or own_code:
        return request.backend == "ctranslate2"
    from kunnafoni_models.importing.ctranslate2_conversion import convertible  # noqa: PLC0415 - needs an extra of its own

    return convertible(request.checkpoint)


def _copy(request: ImportRequest, folder: Path) -> None:
    """Copy the weights as they are; save pickled ones as safetensors, so that no server reads pickled files."""
    folder.mkdir()
    if not list(request.checkpoint.glob("*.safetensors")):
        load_model(request.checkpoint, remote_code=request.allow_unsafe, pickled=True).save_pretrained(folder)
        gc.collect()
        return
    for pattern in ("*.safetensors", "model.safetensors.index.json", "config.json", "generation_config.json"):
        for path in sorted(request.checkpoint.glob(pattern)):
            shutil.copyfile(path, folder / path.name)
    if request.allow_unsafe:
        for path in sorted(request.checkpoint.glob("*.py")):
            shutil.copyfile(path, folder / path.name)


def _save_tokenizer(tokenizer: Any, folder: Path, scratch: Path, *, all_files: bool) -> None:
    tokenizer.save_pretrained(scratch)
    for path in sorted(scratch.iterdir()):
        if path.is_file() and (all_files or path.name in TOKENIZER_FILES - {"tokenizer_config.json", "vocab.json"}):
            shutil.copyfile(path, folder / path.name)
    if not all_files and (folder / "tokenizer.json").is_file():
        # Some classes know special tokens that their file lacks.
        backend = tokenizer.backend_tokenizer
        backend.add_special_tokens([token for token in tokenizer.all_special_tokens if backend.token_to_id(token)])
        backend.save(str(folder / "tokenizer.json"))


def _entry(
    request: ImportRequest, profile: CheckpointProfile, licence: Licence, folder: Path, *, on_ctranslate2: bool
) -> CatalogEntry:
    files = tuple(describe_file(path) for path in sorted(folder.iterdir()))
    weights = next(file for file in files if file.name.endswith((".bin", ".safetensors")))
    options: dict[str, str | int | float | bool] = {"family": profile.family} if profile.family else {}
    if on_ctranslate2:
        options["compute_type"] = request.quantization
    elif request.quantization:
        options["dtype"] = request.quantization
    if not on_ctranslate2 and request.allow_unsafe and list(folder.glob("*.py")):
        options["remote_code"] = True
    return CatalogEntry(
        id=request.model_id,
        revision=request.revision or weights.sha256[:12],
        backend="ctranslate2" if on_ctranslate2 else "transformers",
        licence=licence,
        limits=request.catalog_entry.limits if request.catalog_entry else profile.limits,
        languages=profile.languages,
        directions=profile.directions,
        summary_languages=profile.summary_languages,
        files=files,
        folder=folder,
        prompts=profile.prompts,
        base=request.base or request.checkpoint.name,
        parameters=_parameters(request.checkpoint),
        quality=request.catalog_entry.quality if request.catalog_entry else (),
        options=options,
    )


def _parameters(checkpoint: Path) -> int:
    """Number of weights, from the headers of the files; 0 if they are pickled."""
    count = 0
    for path in sorted(checkpoint.glob("*.safetensors")):
        with path.open("rb") as stream, _damaged_if_no_json(path):
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(length, path.stat().st_size)))
            count += sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    return count


def _shards(index: Path) -> list[str]:
    """The files that the index of sharded weights names."""
    with _damaged_if_no_json(index):
        return sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))


@contextmanager
def _damaged_if_no_json(path: Path) -> Generator[None]:
    """Turn errors of a file that should hold JSON into a message with the likely cause."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{path} is damaged, or a pointer of Git LFS: copy the checkpoint again") from error


def _run_once(entry: CatalogEntry) -> None:
    """Load the model like a server and run it once, so that every fault shows now."""
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
