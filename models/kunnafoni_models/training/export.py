"""A run becomes a model: in the embedded form that the server reads, or as a checkpoint for transformers.

It knows files. Whether the model is any good, and whether it goes into a catalog, is the caller's to find out.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from kunnafoni_models.catalog.installation import describe_file
from kunnafoni_models.importing.ctranslate2_conversion import convert
from kunnafoni_models.training import checkpoint
from kunnafoni_models.training.errors import ExportError
from kunnafoni_models.training.hugging_face import write_hugging_face
from kunnafoni_models.training.model_bin import read_model_bin
from kunnafoni_models.training.run_folder import read_run
from kunnafoni_models.training.weights import DECODER_BACKENDS

if TYPE_CHECKING:
    from collections.abc import Generator

    from kunnafoni_models.catalog.entry import CatalogEntry, ModelFile
    from kunnafoni_models.training.weights import Weights

# Places that keep code refuse larger files.
PART_BYTES = 48_000_000
_MODEL_BIN = "model.bin"
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def export_embedded(run: Path, out: Path, *, name: str, revision: str) -> CatalogEntry:
    """Write the weights of `run` into the new folder `out` in the embedded form, and give their catalog entry.

    The form: `model.bin` of CTranslate2 in int8, in parts whose names hold the revision, so that no part ever changes
    under its name; CTranslate2's `config.json` and `vocabulary.json`; `tokenizer.json`; the licence's text, if the
    parent has one; `model.json`, which says it all once more for people.

    The entry has the prompts, limits, languages, licence and options of the model that the run started from, the new
    name, revision and files, and no quality: that is for the caller to measure. It is written to no catalog.

    Raises:
        CheckpointError: There is no run in `run`.
        ExportError: `out` exists, the disk is full, or the converted weights are not those of the run.
    """
    if not _REVISION.fullmatch(revision):
        raise ExportError(f"{revision!r} is no name for a revision: use letters, digits, '.', '-' and '_'")
    weights = read_run(run)
    trained_tokens = int(checkpoint.load_state(run)["state"]["tokens"])
    with _new_folder(out) as folder, tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as scratch:
        checkpoint_folder, converted = Path(scratch, "checkpoint"), Path(scratch, "converted")
        write_hugging_face(checkpoint_folder, weights)
        convert(checkpoint_folder, converted, quantization="int8")
        model_bin = (converted / _MODEL_BIN).read_bytes()
        if read_model_bin(model_bin)[0] != weights.architecture:
            raise ExportError("CTranslate2's converter does not know positions as this model has them")
        parts = _write_parts(folder, model_bin, revision)
        for file in ("config.json", "vocabulary.json"):
            shutil.copyfile(converted / file, folder / file)
        (folder / "tokenizer.json").write_bytes(weights.tokenizer_json)
        others = [describe_file(folder / file) for file in ("config.json", "vocabulary.json", "tokenizer.json")]
        _copy_licence(weights.prompts, folder)
        backend = weights.prompts.backend
        entry = replace(
            weights.prompts,
            id=name,
            revision=revision,
            backend=backend if backend in DECODER_BACKENDS else "ctranslate2",
            folder=out,
            files=(*parts, *others),
            parameters=sum(tensor.numel() for tensor in weights.tensors.values()),
            quality=(),
            options={**weights.prompts.options, "compute_type": "int8"},
        )
        card = _card(entry, weights) | {
            "trained_tokens": trained_tokens,
            "model_bin_sha256": hashlib.sha256(model_bin).hexdigest(),
        }
        (folder / "model.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return entry


def export_hugging_face(run: Path, out: Path) -> None:
    """Write the weights of `run` into the new folder `out` as a checkpoint that transformers loads, in float32.

    Raises:
        CheckpointError: There is no run in `run`.
        ExportError: `out` exists or cannot be written.
    """
    weights = read_run(run)
    with _new_folder(out) as folder:
        write_hugging_face(folder, weights)


@contextmanager
def _new_folder(out: Path) -> Generator[Path]:
    """A folder to write into that becomes `out` if all goes well, and vanishes if not."""
    if out.exists():
        raise ExportError(f"{out} exists: take another folder, or remove it first")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
            folder = Path(scratch, out.name)
            folder.mkdir()
            yield folder
            folder.rename(out)
    except (OSError, SafetensorError) as error:
        raise ExportError(f"{out} cannot be written: {error}") from error


def _write_parts(folder: Path, model_bin: bytes, revision: str) -> list[ModelFile]:
    parts: list[ModelFile] = []
    for number, start in enumerate(range(0, len(model_bin), PART_BYTES)):
        path = folder / f"weights-{revision}.{number:02d}"
        path.write_bytes(model_bin[start : start + PART_BYTES])
        parts.append(replace(describe_file(path), part_of=_MODEL_BIN))
    return parts


def _copy_licence(parent: CatalogEntry, folder: Path) -> None:
    for name in (parent.licence.file, "NOTICE"):
        if name and (parent.folder / name).is_file():
            shutil.copyfile(parent.folder / name, folder / name)


def _card(entry: CatalogEntry, weights: Weights) -> dict[str, object]:
    return {
        "name": entry.id,
        "revision": entry.revision,
        "base": entry.base,
        "architecture": "Gemma3ForCausalLM",
        "parameters": entry.parameters,
        "vocabulary": weights.architecture.vocabulary,
        "format": "ctranslate2",
        "compute_type": entry.options["compute_type"],
        "languages": dict(entry.languages),
        "directions": [f"{each.source}>{each.target}" for each in entry.directions],
        "summary_languages": list(entry.summary_languages),
        "prompts": {
            "translate": entry.prompts.translate,
            "summarize": entry.prompts.summarize,
            "filler": entry.prompts.filler,
        },
        "begin_tokens": list(entry.prompts.begin_tokens),
        "end_token": entry.prompts.end_token,
        "limits": {
            "translate_input_tokens": entry.limits.translate_input_tokens,
            "summarize_input_tokens": entry.limits.summarize_input_tokens,
            "trained_total_tokens": entry.limits.total_tokens,
        },
        "decoding": {"reference": "greedy"},
        "licence": entry.licence.name,
        "files": {file.name: {"sha256": file.sha256, "bytes": file.bytes} for file in entry.files},
        "parts": [file.name for file in entry.files if file.part_of],
    }
