"""Finds what a summary tells and its article does not: numbers, dates, names and quotations.

Each is looked up in any form: `3 millions` is `3,000,000`, *mardi 26 novembre* is *Tuesday, November 26*, *Malian* is
*Mali*. What is not found is a finding with its place. Editors know more than the article tells: half of the human
summaries of OrangeSum dev (French) and a quarter of those of GUM (English) have one, so a finding says "check this".
Of those in 250 French ones, looked through by hand, 98 % are true, of names 84 %: the rest are first words of sentences
and labels (`VIDÉO.`), which a model hardly writes. Some rules were mended on those same 250.

It does not know whether a sentence is true: all its names and numbers may be in the article and who did what be wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kunnafoni.checks.mentions.dates import DateMention, dates_in
from kunnafoni.checks.mentions.numbers import NumberMention, Writing, numbers_in
from kunnafoni.checks.mentions.units import Measure, measures_in, with_another_unit
from kunnafoni.checks.names.forms import folded
from kunnafoni.checks.names.lookup import missing_names
from kunnafoni.checks.names.mentions import WORD
from kunnafoni.checks.names.phonetic import unheard_names
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class FindingKind(StrEnum):
    """What kind of thing the article lacks."""

    UNSUPPORTED_NUMBER = "UNSUPPORTED_NUMBER"
    UNSUPPORTED_DATE = "UNSUPPORTED_DATE"
    UNSUPPORTED_NAME = "UNSUPPORTED_NAME"
    UNSUPPORTED_QUOTATION = "UNSUPPORTED_QUOTATION"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a summary that its article does not have; `span` is where it stands in the summary."""

    kind: FindingKind
    span: Span


def unsupported(summary: str, article: str, *, summary_language: str, article_language: str) -> list[Finding]:
    """Find what `summary` tells and `article` does not, in the order of the summary.

    Args:
        summary: A headline or summary.
        article: Headline and body of what it summarises.
        summary_language: `en`, `fr` or `bm`.
        article_language: `en`, `fr` or `bm`. If it differs, names are compared as in `name_sounds`: one word of a name
            is enough; and of quotations only those from an article that quotes nobody are found.
    """
    same_language = summary_language == article_language
    dates, numbers = dates_in(summary, summary_language), numbers_in(summary, summary_language)
    no_names = [date.span for date in dates] + [n.span for n in numbers if n.written_as is Writing.WORDS]
    if same_language:
        names = missing_names(summary, article)
    else:
        names = unheard_names(summary, article, text_language=summary_language, other_language=article_language)
    names = [name for name in names if not _touches(name, no_names, summary)]
    no_numbers = [date.span for date in dates] + names
    numbers = [number for number in numbers if not _touches(number.span, no_numbers, summary)]
    article_numbers = numbers_in(article, article_language)
    measures = measures_in(summary, numbers, summary_language)
    article_measures = measures_in(article, article_numbers, article_language)
    article_dates = dates_in(article, article_language)
    spans = {
        FindingKind.UNSUPPORTED_NUMBER: _missing_numbers(measures, article_measures, summary),
        FindingKind.UNSUPPORTED_DATE: _missing_dates(dates, article_dates, article_numbers),
        FindingKind.UNSUPPORTED_NAME: names,
        FindingKind.UNSUPPORTED_QUOTATION: _missing_quotations(summary, article, same_language=same_language),
    }
    findings = {Finding(kind, span) for kind, found in spans.items() for span in found}
    return sorted(findings, key=lambda finding: (finding.span, finding.kind))


def _touches(span: Span, others: Iterable[Span], text: str) -> bool:
    """Whether a span overlaps one of others, or only a hyphen stands between them, as in `Covid-19`."""
    pairs = (sorted((span, other)) for other in others)
    return any(first.end >= second.start or text[first.end : second.start] == "-" for first, second in pairs)


_NO_CLAIM = re.compile(
    r"neuf|second|seconde|premi[eè]re?s?|first|once|one|une?|(?<=\bles )deux|(?<=\bthe )two"
    r"|noon|midnight|midi|minuit|half|quarters?|moitié|quarts?|kelen?|f[ɔo]l[ɔo]|[sc][ɛe]+gin?",
    re.IGNORECASE,
)
_CENTURY = re.compile(r"(?:st|nd|rd|th|e|ᵉ|è|ème|er)?[ \u00a0-](?:century|centuries|siècles?)\b", re.IGNORECASE)


def _missing_numbers(measures: Iterable[Measure], article_measures: list[Measure], summary: str) -> Iterator[Span]:
    """The numbers that the article lacks or has with another unit only.

    Not counted are words that are often no number; a century is there with its years.
    """
    for measure in measures:
        number = measure.number
        start, end = number.span.start, number.span.end
        if number.written_as is Writing.WORDS and _NO_CLAIM.fullmatch(summary, start, end):
            continue
        years = range(int(100 * number.value) - 99, int(100 * number.value) + 1) if _CENTURY.match(summary, end) else ()
        there = any(number.agrees(other.number) or other.number.value in years for other in article_measures)
        if not there or with_another_unit(measure, article_measures):
            yield number.span


def _missing_dates(
    dates: Iterable[DateMention], article_dates: list[DateMention], article_numbers: list[NumberMention]
) -> Iterator[Span]:
    """The dates of which the article lacks a part; the day and the month must stand together there."""
    days = {(date.day, date.month) for date in article_dates}
    months = {date.month for date in article_dates}
    weekdays = {date.weekday for date in article_dates}
    years = {value for number in article_numbers for value in (number.value, *number.other_values)}
    for date in dates:
        if not (
            date.month in months | {None}
            and (date.day is None or (date.day, date.month) in days)
            and date.weekday in weekdays | {None}
            and (date.year is None or date.year in years)
        ):
            yield date.span


_QUOTATION = re.compile(r"«[^«»]+»|“[^“”]+”|„[^„“”]+[“”]|(?<!\w)\"(?=[\w(\[…])[^\"]+(?<!\s)\"(?!\w)")
"""Of two straight quotation marks the first must look like one that opens and the second like one that closes."""
_OMISSION = re.compile(r"\.\.\.|…|\[[^\]]*\]|\([^)]*\)")
"""Where an editor left something out of a quotation or put something in."""


def _missing_quotations(summary: str, article: str, *, same_language: bool) -> Iterator[Span]:
    """The quotations whose words do not follow each other in the article; parts may be left out where marked."""
    quotations = list(_QUOTATION.finditer(summary))
    if not quotations:
        return
    if not same_language:
        if not _QUOTATION.search(article):
            yield from (Span(*quotation.span()) for quotation in quotations)
        return
    words = _spaced_words(article)
    for quotation in quotations:
        parts = _OMISSION.split(quotation[0])
        if not all(_spaced_words(part) in words for part in parts):
            yield Span(*quotation.span())


def _spaced_words(text: str) -> str:
    """The folded words of a text, one space before and after each; empty if it has none."""
    words = [folded(match[0]) for match in WORD.finditer(text)]
    return f" {' '.join(words)} " if words else ""
