"""`kunnafoni models list --all`: every model of the catalog, fetched or not. It reads files and calls no server."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kunnafoni.cli.options import OutputFormat
from kunnafoni.config import load_settings
from kunnafoni_models import registry
from kunnafoni_models.catalog.entry import CatalogEntry

if TYPE_CHECKING:
    from pathlib import Path

# Beside a byte a weight: the shapes of NLLB-600M and Gemma-3-270M take 400 and 600 (tests/bench/backends.py).
_BESIDE_WEIGHTS_MB = 500
_CAPTION = (
    "Fetch one with: kunnafoni models import HUB_ID --as MODEL --models-dir FOLDER. ~ is an estimate for int8: a byte "
    f"a weight and {_BESIDE_WEIGHTS_MB} MiB. Figures on different test sets do not compare."
)


def list_catalog(*, models_dir: Path | None = None, output: OutputFormat = OutputFormat.TEXT) -> None:
    """List all models of the catalog: what they do, how well, under which licence, and what they cost."""
    folder = models_dir or load_settings().models_dir
    entries = registry.catalog([folder] if folder else [])
    if output is OutputFormat.JSON:
        typer.echo(json.dumps([_plain(entry) for entry in entries.values()], ensure_ascii=False, indent=1))
        return
    table = Table("model", "here", "does", "quality", "licence", "parameters", "memory", caption=_CAPTION)
    for entry in entries.values():
        cells = (
            entry.id,
            "yes" if _is_here(entry) else f"import {entry.base}",
            _tasks(entry),
            _quality(entry),
            entry.licence.name + (" (non-commercial)" if entry.licence.non_commercial else ""),
            f"{entry.parameters / 1e6:.0f} M" if entry.parameters else "",
            _memory(entry),
        )
        table.add_row(*map(Text, cells))  # what a model card says is no markup
    Console().print(table)


def _is_here(entry: CatalogEntry) -> bool:
    return bool(entry.files) or not entry.base


def _tasks(entry: CatalogEntry) -> str:
    pairs = ", ".join(f"{each.source}>{each.target}" for each in entry.directions)
    summaries = ", ".join(entry.summary_languages)
    return "; ".join(filter(None, (pairs, f"summaries {summaries}" if summaries else "")))


def _quality(entry: CatalogEntry) -> str:
    """One line a metric and test set, and under each whose figures these are."""
    lines: list[str] = []
    for (metric, test_set, where), scores in groupby(
        entry.quality, key=lambda each: (each.metric, each.test_set, each.measured_by)
    ):
        figures = ", ".join(f"{each.source}>{each.target} {each.score:.1f}" for each in scores)
        lines.append(f"{metric} {figures} ({test_set}; {where})")
    return "\n".join(lines) or "not measured"


def _memory(entry: CatalogEntry) -> str:
    if entry.memory_mb or not entry.parameters:
        return f"{entry.memory_mb} MiB" if entry.memory_mb else ""
    return f"~{round(entry.parameters / 2**20 + _BESIDE_WEIGHTS_MB, -2):.0f} MiB"


def _plain(entry: CatalogEntry) -> dict[str, Any]:
    """The entry as its file has it, but for prompts and files, and whether the weights are on this machine."""
    fields = TypeAdapter(CatalogEntry).dump_python(entry, mode="json", exclude={"files", "folder", "prompts"})
    return {**fields, "here": _is_here(entry)}
