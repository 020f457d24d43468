"""`kunnafoni models list --all`: every model of the catalog, fetched or not. It reads files and calls no server."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from kunnafoni.config import load_settings
from kunnafoni_models import registry

if TYPE_CHECKING:
    from kunnafoni_models.entries import CatalogEntry


def list_catalog(
    *, models_dir: Annotated[Path | None, typer.Option("--models-dir", help="Folder with further models.")] = None
) -> None:
    """List all models of the catalog: what they do, how well, under which licence, and what they cost."""
    folder = models_dir or load_settings().models_dir
    table = Table("model", "here", "does", "quality", "licence", "parameters", "memory")
    for entry in registry.catalog([folder] if folder else []).values():
        table.add_row(
            entry.id,
            "yes" if entry.files or not entry.base else f"import {entry.base}",
            _tasks(entry),
            _quality(entry),
            entry.licence.name + (" (non-commercial)" if entry.licence.non_commercial else ""),
            f"{entry.parameters / 1e6:.0f} M" if entry.parameters else "?",
            f"{entry.memory_mb} MiB" if entry.memory_mb else "not measured",
        )
    Console().print(table)


def _tasks(entry: CatalogEntry) -> str:
    pairs = ", ".join(f"{each.source}>{each.target}" for each in entry.directions)
    summaries = ", ".join(entry.summary_languages)
    return "; ".join(filter(None, (pairs, f"summaries {summaries}" if summaries else "")))


def _quality(entry: CatalogEntry) -> str:
    lines = [
        f"{metric} {', '.join(f'{each.source}>{each.target} {each.score:.1f}' for each in scores)} [{where}]"
        for (metric, where), scores in groupby(entry.quality, key=lambda each: (each.metric, each.measured_by))
    ]
    return "\n".join(lines) or "not measured"
