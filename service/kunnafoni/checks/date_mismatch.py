"""Finds months and days of the week that differ between source and translation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kunnafoni.checks.analysed_text import AnalysedText
    from kunnafoni.checks.mentions.dates import DateMention

_DATE_PARTS: dict[str, Callable[[DateMention], int | None]] = {
    "month": lambda date: date.month,
    "day of the week": lambda date: date.weekday,
}


def check_dates(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """Find months and days of the week for which the other text has another one; leaving one out is no finding."""
    for name, part in _DATE_PARTS.items():
        in_source, in_target = ({part(date) for date in text.dates} | {None} for text in (source, target))
        missing = [date.span for date in source.dates if part(date) not in in_target]
        invented = [date.span for date in target.dates if part(date) not in in_source]
        if missing and invented:
            for span in missing:
                yield Finding(FindingType.NUMBER_MISMATCH, span, None, f"{name} not found in the translation")
            for span in invented:
                yield Finding(FindingType.NUMBER_MISMATCH, None, span, f"{name} not found in the source")
