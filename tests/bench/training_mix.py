"""What the training benches read: rows of the training mix and of FLORES-200, which are not part of the project.

It knows where they lie in `../shared`, and says so and ends the bench where they do not.
"""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING

from kunnafoni_models import registry
from kunnafoni_models.training.corpus_files import read_rows
from kunnafoni_models.training.selection import parallel_rows, some

if TYPE_CHECKING:
    from pathlib import Path

    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.corpus import Row

MODEL = "kunnafoni-270m"


def embedded() -> CatalogEntry:
    """The entry of the embedded model."""
    return registry.catalog()[MODEL]


def mix_rows(shared: Path, *, count: int) -> list[Row]:
    """`count` rows of the training mix, the same ones every time."""
    path = _needed(shared / "corpora" / "training" / "mix.tsv.gz")
    return random.Random(0).sample(read_rows(path, languages=embedded().languages), count)


def flores(shared: Path, *, lines: int) -> dict[str, list[Row]]:
    """The first `lines` lines of FLORES-200 dev as rows, by their direction."""
    path = _needed(shared / "eval" / "flores200" / "dev.tsv")
    rows: dict[str, list[Row]] = {}
    for row in some(parallel_rows(path, embedded()), lines):
        rows.setdefault(row.task, []).append(row)
    return rows


def _needed(path: Path) -> Path:
    if not path.is_file():
        sys.exit(f"{path} is missing: this bench needs the project's shared data; name its folder with --shared")
    return path
