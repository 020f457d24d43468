"""A translation that goes round in circles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.mentions.repetition import most_repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.checks.analysed_text import AnalysedText

_FEWEST_TIMES, _FEWEST_TIMES_APART = 3, 4


def check_repetition(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """Words or letters that come three times in a row or four times in all, and twice more than any in the source.

    In Bambara one word may come three times: *kelen kelen kelen*, one by one.
    """
    repetition, ordinary = most_repeated(target.text), most_repeated(source.text)
    if repetition is None:
        return
    reduplication = target.language == "bm" and repetition.words == 1
    fewest = _FEWEST_TIMES if repetition.in_a_row and not reduplication else _FEWEST_TIMES_APART
    if repetition.times >= max(fewest, ordinary.times + 2 if ordinary else 0):
        yield Finding(FindingType.REPETITION, None, repetition.span, f"repeated {repetition.times} times")
