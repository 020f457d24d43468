"""Finds numbers in figures that only one of the two texts has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.mentions.numbers import unmatched
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kunnafoni.checks.analysed_text import AnalysedText
    from kunnafoni.checks.mentions.dates import DateMention
    from kunnafoni.checks.mentions.numbers import NumberMention


def check_numbers(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """Find numbers in figures that the other text has neither in figures nor in words.

    A number in a complete date or a telephone number that both texts have is no finding.
    """
    missing, invented = unmatched(source.numbers, target.numbers), unmatched(target.numbers, source.numbers)
    if not (missing or invented):
        return
    codes, other_codes = _codes(source.text), _codes(target.text)
    for mention in _outside((*_shared(source.dates, target.dates), *_shared_codes(codes, other_codes)), missing):
        yield Finding(FindingType.NUMBER_MISMATCH, mention.span, None, "number not found in the translation")
    for mention in _outside((*_shared(target.dates, source.dates), *_shared_codes(other_codes, codes)), invented):
        yield Finding(FindingType.NUMBER_MISMATCH, None, mention.span, "number not found in the source")


def _shared(dates: Iterable[DateMention], others: Iterable[DateMention]) -> list[Span]:
    """Spans of the complete dates that are also among `others`."""
    days = {(date.day, date.month, date.year) for date in others}
    return [date.span for date in dates if date.day and date.month and (date.day, date.month, date.year) in days]


_CODE = re.compile(r"\d(?:[ \u00a0\u202f.-]?\d){5,}")


def _codes(text: str) -> list[tuple[str, Span]]:
    """Find runs of six digits or more, such as telephone numbers, grouped in any way: their digits and spans."""
    return [(re.sub(r"\D", "", found[0]), Span(*found.span())) for found in _CODE.finditer(text)]


def _shared_codes(codes: Iterable[tuple[str, Span]], others: Iterable[tuple[str, Span]]) -> list[Span]:
    digits = {other for other, _ in others}
    return [span for code, span in codes if code in digits]


def _outside(spans: Iterable[Span], mentions: Iterable[NumberMention]) -> list[NumberMention]:
    spans = list(spans)
    return [m for m in mentions if not any(s.start <= m.span.start and m.span.end <= s.end for s in spans)]
