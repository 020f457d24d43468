"""Finds the facts of a summary that its article does not have: numbers, dates, names and quotations.

Each fact is looked up in any form: `3 millions` is `3,000,000`, *mardi 26 novembre* is *Tuesday, November 26*, *Malian*
is *Mali*. A fact that is not found is a finding with its span. Editors know more than the article says: half of the
human summaries of OrangeSum dev (French) and a quarter of those of GUM (English) have a finding, so it means "check
this". The findings in 250 French summaries were read by hand: 98 % of them are right, and 84 % of those about names;
the others are first words of sentences and labels (`VIDÉO.`), which models hardly write. Some rules were corrected on
those same 250.

It does not know whether a sentence is true: its names and numbers may all be in the article while it says wrongly who
did what.
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
from kunnafoni.checks.names.phonetic import unmatched_names
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class UnsupportedFactType(StrEnum):
    """What kind of fact the article lacks; the names are those of the wire."""

    UNSUPPORTED_NUMBER = "UNSUPPORTED_NUMBER"
    UNSUPPORTED_DATE = "UNSUPPORTED_DATE"
    UNSUPPORTED_NAME = "UNSUPPORTED_NAME"
    UNSUPPORTED_QUOTATION = "UNSUPPORTED_QUOTATION"


@dataclass(frozen=True, slots=True)
class UnsupportedFact:
    """A fact of a summary that its article does not have; `span` says where it stands in the summary."""

    type: UnsupportedFactType
    span: Span


def unsupported_facts(
    summary: str, article: str, *, summary_language: str, article_language: str
) -> list[UnsupportedFact]:
    """Find the facts of `summary` that `article` does not have, in the order of the summary.

    Args:
        summary: A headline or summary.
        article: Headline and body of what it summarises.
        summary_language: `en`, `fr` or `bm`.
        article_language: `en`, `fr` or `bm`. If it differs, names are compared as in `names.phonetic`, where one word
            of a name is enough, and quotations are found only if the article has none at all.
    """
    same_language = summary_language == article_language
    dates, numbers = dates_in(summary, summary_language), numbers_in(summary, summary_language)
    no_names = [date.span for date in dates] + [n.span for n in numbers if n.written_as is Writing.WORDS]
    if same_language:
        names = missing_names(summary, article)
    else:
        names = unmatched_names(summary, article, text_language=summary_language, other_language=article_language)
    names = [name for name in names if not _touches(name, no_names, summary)]
    no_numbers = [date.span for date in dates] + names
    numbers = [number for number in numbers if not _touches(number.span, no_numbers, summary)]
    article_numbers = numbers_in(article, article_language)
    measures = measures_in(summary, numbers, summary_language)
    article_measures = measures_in(article, article_numbers, article_language)
    article_dates = dates_in(article, article_language)
    spans = {
        UnsupportedFactType.UNSUPPORTED_NUMBER: _missing_numbers(measures, article_measures, summary),
        UnsupportedFactType.UNSUPPORTED_DATE: _missing_dates(dates, article_dates, article_numbers),
        UnsupportedFactType.UNSUPPORTED_NAME: names,
        UnsupportedFactType.UNSUPPORTED_QUOTATION: _missing_quotations(summary, article, same_language=same_language),
    }
    facts = {UnsupportedFact(fact_type, span) for fact_type, found in spans.items() for span in found}
    return sorted(facts, key=lambda fact: (fact.span, fact.type))


def _touches(span: Span, others: Iterable[Span], text: str) -> bool:
    """Whether `span` overlaps one of `others`, or only a hyphen stands between them, as in `Covid-19`."""
    pairs = (sorted((span, other)) for other in others)
    return any(first.end >= second.start or text[first.end : second.start] == "-" for first, second in pairs)


_NOT_A_FACT = re.compile(
    r"neuf|second|seconde|premi[eè]re?s?|first|once|one|une?|(?<=\bles )deux|(?<=\bthe )two"
    r"|noon|midnight|midi|minuit|half|quarters?|moitié|quarts?|kelen?|f[ɔo]l[ɔo]|[sc][ɛe]+gin?",
    re.IGNORECASE,
)
_CENTURY = re.compile(r"(?:st|nd|rd|th|e|ᵉ|è|ème|er)?[ \u00a0-](?:century|centuries|siècles?)\b", re.IGNORECASE)


def _missing_numbers(measures: Iterable[Measure], article_measures: list[Measure], summary: str) -> Iterator[Span]:
    """Yield the numbers that the article lacks, or has only with another unit.

    Words that are often no number are left out. A century is found if the article has one of its years.
    """
    for measure in measures:
        number = measure.number
        start, end = number.span.start, number.span.end
        if number.written_as is Writing.WORDS and _NOT_A_FACT.fullmatch(summary, start, end):
            continue
        years = range(int(100 * number.value) - 99, int(100 * number.value) + 1) if _CENTURY.match(summary, end) else ()
        there = any(number.agrees(other.number) or other.number.value in years for other in article_measures)
        if not there or with_another_unit(measure, article_measures):
            yield number.span


def _missing_dates(
    dates: Iterable[DateMention], article_dates: list[DateMention], article_numbers: list[NumberMention]
) -> Iterator[Span]:
    """Yield the dates of which the article lacks a part; day and month must stand together in the article."""
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
"""The first of two straight quotation marks must look like an opening mark and the second like a closing one."""
_OMISSION = re.compile(r"\.\.\.|…|\[[^\]]*\]|\([^)]*\)")
"""Where an editor left something out of a quotation or put something in."""


def _missing_quotations(summary: str, article: str, *, same_language: bool) -> Iterator[Span]:
    """Yield the quotations whose words do not stand in this order in the article; marked omissions are allowed."""
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
    """The folded words of a text with a space before and after each; empty if there are none."""
    words = [folded(match[0]) for match in WORD.finditer(text)]
    return f" {' '.join(words)} " if words else ""
