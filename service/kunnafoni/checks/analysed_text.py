"""A segment or its translation, with everything in it that several checks look at, found once.

A check that needs something else from a text computes it itself; as soon as two checks need it, it is a property here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from kunnafoni.checks.mentions.dates import DateMention, dates_in
from kunnafoni.checks.mentions.numbers import NumberMention, numbers_in

_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class AnalysedText:
    """One of the two texts that checks compare.

    Attributes:
        text: As it stands; spans count in it.
        language: `en`, `fr` or `bm`.
    """

    text: str
    language: str

    @cached_property
    def words(self) -> list[re.Match[str]]:
        """Runs of two letters or more, in order."""
        return list(_WORD.finditer(self.text))

    @cached_property
    def numbers(self) -> list[NumberMention]:
        """Numbers in figures and in words, in order."""
        return numbers_in(self.text, self.language)

    @cached_property
    def dates(self) -> list[DateMention]:
        """Dates and parts of dates, in order."""
        return dates_in(self.text, self.language)
