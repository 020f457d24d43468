"""A segment or its translation with what several checks look at, found once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kunnafoni.checks.mentions.dates import dates_in
from kunnafoni.checks.mentions.numbers import numbers_in

if TYPE_CHECKING:
    from kunnafoni.checks.mentions.dates import DateMention
    from kunnafoni.checks.mentions.numbers import NumberMention


class AnalysedText(NamedTuple):
    """One side of what is checked.

    Attributes:
        text: As it stands; spans count in it.
        language: `en`, `fr` or `bm`.
        numbers: Numbers in figures and words, in order.
        dates: Dates and their parts, in order.
    """

    text: str
    language: str
    numbers: list[NumberMention]
    dates: list[DateMention]

    @classmethod
    def of(cls, text: str, language: str) -> AnalysedText:
        """Analyse `text`."""
        return cls(text, language, numbers_in(text, language), dates_in(text, language))
