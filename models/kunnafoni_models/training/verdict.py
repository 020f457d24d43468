"""Whether an adapted model may take the place of another: what it gained on the memory, what it lost elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni_models.training.measuring import Measurement

MOST_LOST = 0.5
"""chrF++ that the mean over the directions of a general set may fall by."""

MOST_LOST_ANYWHERE = 1.0
"""chrF++ that any one direction may fall by, on any set."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One test set before and after.

    Attributes:
        test_set: What it is, for people.
        rows: How many pairs each direction has, at most.
        before: Scores of the starting model as int8; None if it could not be measured.
        after: Scores of the trained model as int8.
        may_lose: chrF++ that the mean may fall by.
    """

    test_set: str
    rows: int
    before: Measurement | None
    after: Measurement
    may_lose: float = 0.0


def objections(comparisons: Sequence[Comparison]) -> list[str]:
    """Why the adapted model is worse than the starting one, a line each; empty if it is not."""
    found: list[str] = []
    for each in comparisons:
        if each.before is None:
            continue
        if each.after.mean < each.before.mean - each.may_lose:
            found.append(
                f"{each.test_set}: the mean fell from {each.before.mean:.1f} to {each.after.mean:.1f} chrF++, and may "
                f"fall by {each.may_lose:g}"
            )
        found += [
            f"{each.test_set}: {task} fell from {before:.1f} to {each.after.scores[task]:.1f} chrF++"
            for task, before in each.before.scores.items()
            if each.after.scores[task] < before - MOST_LOST_ANYWHERE
        ]
    return found
