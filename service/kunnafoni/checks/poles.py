"""Words of opposite meaning, such as *more* and *less*: where each side has only one kind, and not the same."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Sequence


class Pole(Enum):
    """One of two opposites."""

    LOW = "low"
    HIGH = "high"


def poles_in(text: str, words: re.Pattern[str]) -> list[tuple[Pole, Span]]:
    """The words of `text` that `words` finds, in order; its groups begin with `low` or `high`."""
    return [
        (Pole.LOW if (found.lastgroup or "").startswith("low") else Pole.HIGH, Span(*found.span()))
        for found in words.finditer(text)
    ]


def opposite_spans(
    source: Sequence[tuple[Pole, Span]], target: Sequence[tuple[Pole, Span]]
) -> Iterator[tuple[Span, Span]]:
    """The first words of both sides, if each side has one kind only and they are opposites."""
    source_poles, target_poles = {pole for pole, _ in source}, {pole for pole, _ in target}
    if len(source_poles) == len(target_poles) == 1 and source_poles != target_poles:
        yield source[0][1], target[0][1]
