"""Which rows are worth learning from: sizes, proportions, spelling, and each row once.

It counts what it drops and why. It knows no file, and no evaluation text: `decontamination` does.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kunnafoni_models.training.corpus import Row

# Letters that standard Bambara does not have: the old è ò and the é à of French words, and what stands for ɛ ɔ ɲ ŋ on
# keyboards without them. The 61,010 Bambara targets of the embedded model's mix have none of the first line.
_OLD_LETTERS = re.compile("[èòéàÈÒÉÀ]")
_LOOKALIKES = re.compile("[A-Za-zɛɔɲŋ][ԑєεϵᴐↄͻɳꞃ]|[ԑєεϵᴐↄͻɳꞃԐЄↃϽꞂ][A-Za-zɛɔɲŋ]")
# What lengths may differ by whatever their ratio: "Yes." is one word and its translation may be three.
_SLACK_CHARACTERS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Limits that a row must keep.

    Attributes:
        max_characters: Longest text on either side of a translation; articles to summarise may have any length.
        max_ratio: Longer side over shorter side of a translation, in characters. 99.9 % of the rows of the embedded
            model's mix are under 3.8.
        standard_bambara: Drop Bambara targets with letters that the standard spelling does not have.
    """

    max_characters: int = 1500
    max_ratio: float = 4.0
    standard_bambara: bool = True


@dataclass(frozen=True, slots=True)
class Kept:
    """What the filters left.

    Attributes:
        rows: In their order.
        dropped: Reason -> number of rows.
    """

    rows: list[Row]
    dropped: Mapping[str, int]


def kept(rows: Iterable[Row], filters: Filters) -> Kept:
    """Drop what `filters` forbids, and rows that were there before."""
    seen: set[tuple[str, str, str]] = set()
    good: list[Row] = []
    dropped: Counter[str] = Counter()
    for row in rows:
        key = (row.task, row.source, row.target)
        if reason := _reason(row, filters) or ("twice in the data" if key in seen else ""):
            dropped[reason] += 1
        else:
            seen.add(key)
            good.append(row)
    return Kept(good, dict(dropped))


def _reason(row: Row, filters: Filters) -> str:
    """Why the row is no good; empty if it is."""
    shorter, longer = sorted((len(row.source), len(row.target)))
    summary = row.task.startswith("sum-")
    checks = {
        "empty on one side": not shorter,
        "Bambara in another than the standard spelling": (
            filters.standard_bambara and row.task.endswith(">bm") and _spelt_otherwise(row.target)
        ),
        f"longer than {filters.max_characters} characters": not summary and longer > filters.max_characters,
        f"one side more than {filters.max_ratio:g} times as long": (
            not summary and longer > max(filters.max_ratio * shorter, shorter + _SLACK_CHARACTERS)
        ),
        "not translated": row.source == row.target and " " in row.source,
    }
    return next((reason for reason, holds in checks.items() if holds), "")


def _spelt_otherwise(text: str) -> bool:
    return bool(_OLD_LETTERS.search(text) or _LOOKALIKES.search(text))
