"""Translation memories as a newsroom has them, ready to learn from: one pair of languages, a tenth held out.

It knows rows and files, no model. Which tenth is held out hangs on the source text alone, so that it stays the same
when the memory grows, and from one run to the next.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kunnafoni_models.training.corpus_files import read_rows
from kunnafoni_models.training.decontamination import held_back, normalised, without
from kunnafoni_models.training.errors import TrainingError
from kunnafoni_models.training.filters import Filters, kept

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from kunnafoni_models.training.corpus import Row

MINIMUM_PAIRS = 200
"""Fewer leave less than 20 pairs to measure with, and what is learnt from them is learnt by heart."""

_HELD_OUT_OF = 10


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory after filtering.

    Attributes:
        pair: Languages of source and target.
        learn: Rows to train on, all from `pair[0]` to `pair[1]`.
        held_out: Rows to measure on. None of `learn` has a text of these.
        dropped: Reason -> number of rows that were left out.
        fingerprint: sha256 over the rows, whatever their order.
    """

    pair: tuple[str, str]
    learn: Sequence[Row]
    held_out: Sequence[Row]
    dropped: Mapping[str, int]
    fingerprint: str


def read_memory(
    paths: Sequence[Path],
    *,
    languages: Collection[str],
    pair: tuple[str, str] | None = None,
    both_ways: bool = True,
    evaluation: Sequence[Path] = (),
    filters: Filters | None = None,
    check: Callable[[Sequence[Row]], None] = lambda _: None,
) -> Memory:
    """Read, filter and divide memories.

    Args:
        paths: See `corpus_files`; all of one pair of languages, in either order.
        languages: Codes that the model knows.
        pair: Source and target; None where the files tell.
        both_ways: Whether its sources are learnt to write as well, and must be written as is wanted.
        evaluation: Files whose texts are kept out.
        filters: None for the usual ones.
        check: Told the rows as they were read, all of one task; may raise.

    Raises:
        TrainingError: A file has another form or other languages, or too little is left.
        OSError: A file cannot be read.
    """
    rows: list[Row] = []
    for path in paths:
        for row in read_rows(path, languages=languages, pair=pair):
            pair = pair or _pair(row.task)
            rows.append(_oriented(row, pair, path))
    if pair is None:
        raise TrainingError("no memory was given")
    check(rows)
    turned = both_ways and pair[0] == "bm"  # the spelling of targets is what the filters look at
    found = kept(map(reversed_row, rows) if turned else rows, filters or Filters())
    clean = list(map(reversed_row, found.rows)) if turned else found.rows
    dropped = Counter(found.dropped)
    unseen = without(clean, held_back(evaluation))
    dropped["in an evaluation file"] = len(clean) - len(unseen)
    _check_size(len(rows), len(unseen), dropped)
    held_out = [row for row in unseen if _is_held_out(row)]
    texts = {normalised(text) for row in held_out for text in (row.source, row.target)}
    learn = without((row for row in unseen if not _is_held_out(row)), texts)
    dropped["shares a text with the held-out tenth"] = len(unseen) - len(held_out) - len(learn)
    if not held_out or not learn:
        raise TrainingError("the memory has the same text over and over: nothing is left to measure on")
    return Memory(pair, learn, held_out, {reason: n for reason, n in dropped.items() if n}, _fingerprint(unseen))


def reversed_row(row: Row) -> Row:
    """`row` in the opposite direction."""
    source, target = _pair(row.task)
    return replace(row, task=f"{target}>{source}", source=row.target, target=row.source)


def _pair(task: str) -> tuple[str, str]:
    source, _, target = task.partition(">")
    return source, target


def _oriented(row: Row, pair: tuple[str, str], path: Path) -> Row:
    if _pair(row.task) == pair:
        return row
    if _pair(row.task) == pair[::-1]:
        return reversed_row(row)
    raise TrainingError(
        f"{path} has {row.task} where {'>'.join(pair)} is to be learnt: give --from and --to, and memories of one pair"
    )


def _check_size(read: int, left: int, dropped: Mapping[str, int]) -> None:
    if left >= MINIMUM_PAIRS:
        return
    if dropped["in an evaluation file"] * 2 > read:
        raise TrainingError(
            f"{dropped['in an evaluation file']} of the memory's {read} pairs are in the evaluation file: what a model "
            "has learnt cannot measure it; give another memory, or another test set"
        )
    why = "".join(f"; {n} {reason}" for reason, n in dropped.items() if n)
    raise TrainingError(f"{left} of {read} pairs can be learnt from, and at least {MINIMUM_PAIRS} are needed{why}")


def _is_held_out(row: Row) -> bool:
    digest = hashlib.sha256(normalised(row.source).encode()).digest()
    return int.from_bytes(digest[:8], "big") % _HELD_OUT_OF == 0


def _fingerprint(rows: Sequence[Row]) -> str:
    lines = sorted(f"{row.task}\t{row.source}\t{row.target}\n" for row in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
