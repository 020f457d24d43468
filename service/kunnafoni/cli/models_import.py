"""`kunnafoni models import`: a checkpoint of this machine or of the hub into the user's catalog."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from kunnafoni.cli.options import language_code
from kunnafoni.config import load_settings
from kunnafoni_models import registry
from kunnafoni_models.catalog.installation import check_name
from kunnafoni_models.extras import needs_extra
from kunnafoni_models.importing import hub
from kunnafoni_models.importing.checkpoint_profile import ImportHints

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def import_model(
    checkpoint: Annotated[str, typer.Argument(help="Folder of a checkpoint, or its id on the hub (owner/name).")],
    *,
    name: Annotated[str, typer.Option("--as", help="What to call the model.")],
    backend: Annotated[str, typer.Option("--backend", help="auto, ctranslate2 or transformers.")] = "auto",
    quantization: Annotated[str, typer.Option("--quantization", help="int8 (CTranslate2), float16, float32, ...")] = "",
    direction: Annotated[list[str] | None, typer.Option("--direction", help="As en>fr; may be repeated.")] = None,
    summaries: Annotated[list[str] | None, typer.Option("--summaries", help="Language; may be repeated.")] = None,
    language: Annotated[list[str] | None, typer.Option("--language", help="Code, as bm=__sw__; repeatable.")] = None,
    translate_prompt: Annotated[str, typer.Option("--translate-prompt", help="With {text}.")] = "",
    summarize_prompt: Annotated[str, typer.Option("--summarize-prompt", help="With {article}.")] = "",
    licence: Annotated[str, typer.Option("--license", "--licence", help="Where the model card states none.")] = "",
    revision: Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit on the hub.")] = None,
    models_dir: Annotated[Path | None, typer.Option("--models-dir", help="Where to; else the setting.")] = None,
    allow_unsafe: Annotated[
        bool, typer.Option("--allow-unsafe", help="Take pickles and the model's own code.")
    ] = False,
) -> None:
    """Check, convert, describe and try a checkpoint, and add it to your models."""
    folder = models_dir or load_settings().models_dir
    if folder is None:
        raise typer.BadParameter("say where your models are kept: --models-dir, or models_dir in kunnafoni.toml")
    if backend not in {"auto", "ctranslate2", "transformers"}:
        raise typer.BadParameter("--backend is auto, ctranslate2 or transformers")
    pairs = [_pair(text, ">") for text in direction or ()]
    codes = [_pair(text, "=") for text in language or ()]
    hints = ImportHints(
        tuple((language_code(source), language_code(target)) for source, target in pairs),
        tuple(map(language_code, summaries or ())),
        {language_code(language): code for language, code in codes},
        translate_prompt,
        summarize_prompt,
    )
    check_name(folder, name)
    built_in = registry.catalog().values()
    if any(entry.id == name and entry.files for entry in built_in):
        raise typer.BadParameter(f"{name} is the model that comes with Kunnafoni: take another name with --as")
    # An entry with files was made from its base and is not the base. Hints mean another use of the checkpoint.
    catalog_entry = next((entry for entry in built_in if entry.base == checkpoint and not entry.files), None)
    catalog_entry = catalog_entry if hints == ImportHints() else None
    # The other commands need neither torch nor transformers. Before the download, which may be of gigabytes.
    with needs_extra("transformers", "importing a checkpoint"):
        from kunnafoni_models.importing.checkpoint_import import ImportRequest, import_checkpoint  # noqa: PLC0415
    path, commit = Path(checkpoint), revision or ""
    if not path.exists() and _HUB_ID.fullmatch(checkpoint):
        wanted = revision or (catalog_entry.revision if catalog_entry else None)
        path, commit = hub.fetch(checkpoint, revision=wanted, allow_unsafe=allow_unsafe)
    if catalog_entry:
        served = tuple((direction.source, direction.target) for direction in catalog_entry.directions)
        hints = ImportHints(served, catalog_entry.summary_languages, catalog_entry.languages)
    entry = import_checkpoint(
        ImportRequest(
            path,
            folder,
            name,
            base=checkpoint,
            revision=commit,
            backend=backend,
            quantization=quantization,
            licence=licence,
            allow_unsafe=allow_unsafe,
            hints=hints,
            catalog_entry=catalog_entry,
        )
    )
    typer.echo(f"{entry.id}: {entry.backend}, {sum(file.bytes for file in entry.files) / 1e6:.0f} MB in {entry.folder}")
    typer.echo(f"licence: {entry.licence.name}. {entry.licence.summary}")
    if entry.licence.non_commercial:
        warning = f"The licence of {entry.id} forbids commercial use: ask a lawyer before you publish with it."
        Console(stderr=True).print(warning, style="bold yellow", soft_wrap=True)


def _pair(text: str, mark: str) -> tuple[str, str]:
    left, found, right = text.partition(mark)
    if not (left and found and right):
        raise typer.BadParameter(f"{text!r} is not of the form A{mark}B")
    return left, right
