"""Finds a translation that repeats itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.mentions.repetition import most_repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.checks.analysed_text import AnalysedText

_MIN_TIMES, _MIN_TIMES_APART = 3, 4


def check_repetition(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """Find words or letters that come three times in a row or four times in all, and twice more than any in the source.

    In Bambara one word may come three times in a row: *kelen kelen kelen*, one by one.
    """
    repetition, source_repetition = most_repeated(target.text), most_repeated(source.text)
    if repetition is None:
        return
    reduplication = target.language == "bm" and repetition.words == 1
    min_times = _MIN_TIMES if repetition.in_a_row and not reduplication else _MIN_TIMES_APART
    if repetition.times >= max(min_times, source_repetition.times + 2 if source_repetition else 0):
        yield Finding(FindingType.REPETITION, None, repetition.span, f"repeated {repetition.times} times")
