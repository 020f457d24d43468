"""What looks wrong with the translation of one segment, judged from the two texts alone.

Findings inform and never block. Each rule is set so that it is silent on nearly all correct human translations.
Share of segments in which it finds something, %, on the 931 lines of FLORES-200 dev whose `bm` is Bambara (in 66
others it is Kikuyu):

                     human translations                     embedded model of 2026-11-26, first 100 lines, greedy
                     en-fr fr-en fr-bm bm-fr en-bm bm-en    en-fr fr-en fr-bm bm-fr en-bm bm-en
    NUMBER_MISMATCH    0.9   0.9   2.8   2.8   2.0   2.0      7.0   6.0  12.1  13.2  12.1  17.6
    NAME_MISSING       3.1   2.4   2.8   3.3   3.4   3.1     14.0   7.0   8.8   8.8   7.7  16.5
    REPETITION         0.0   0.0   0.0   0.0   0.0   0.0      1.0   0.0   1.1   3.3   0.0   0.0
    LENGTH_RATIO       1.0   1.0   0.4   0.5   1.0   1.0      3.0   1.0   4.4   3.3   5.5   4.4
    UNTRANSLATED       0.1   0.1   0.0   0.0   0.1   0.1      1.0   0.0   0.0   1.1   1.1   1.1
    any of them        4.7   4.1   5.8   6.6   6.2   5.9     24.0  12.0  24.2  24.2  25.3  36.3

The model's are with its penalty of 1.05. Of the build before, without one and by rules that have become stricter in
places since, 29, 14, 59, 41, 46 and 40 of 100 had any.

It does not know models, glossaries or routes: GLOSSARY_MISSED and PIVOTED are found elsewhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from kunnafoni.checks.dates import dates_in
from kunnafoni.checks.names import is_headline
from kunnafoni.checks.numbers import numbers_in, unmatched
from kunnafoni.checks.phonetic_names import unheard_names
from kunnafoni.checks.repetition import most_repeated
from kunnafoni.checks.severity import Category
from kunnafoni.checks.units import measures_in, with_another_sign, with_another_unit
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kunnafoni.checks.dates import DateMention
    from kunnafoni.checks.numbers import NumberMention


class WarningKind(StrEnum):
    """What a finding is about; the names are those of the wire."""

    NUMBER_MISMATCH = "NUMBER_MISMATCH"
    NAME_MISSING = "NAME_MISSING"
    REPETITION = "REPETITION"
    LENGTH_RATIO = "LENGTH_RATIO"
    UNTRANSLATED = "UNTRANSLATED"
    GLOSSARY_MISSED = "GLOSSARY_MISSED"
    PIVOTED = "PIVOTED"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that looks wrong.

    Attributes:
        kind: What it is about.
        source_span: Where it is in the source text; None if it is nowhere, or everywhere.
        target_span: Where it is in the translation; None likewise.
        detail: A few English words for people. They never quote the texts.
        category: The kind of error, where its type has more than one; None: see `severity.CLASSIFICATIONS`.
    """

    kind: WarningKind
    source_span: Span | None = None
    target_span: Span | None = None
    detail: str = ""
    category: Category | None = None


def check(source: str, target: str, *, source_language: str, target_language: str) -> list[Finding]:
    """Compare a segment with its translation; an empty list if nothing looks wrong.

    Args:
        source: One sentence, or part of one. Spans of findings count from its beginning.
        target: Its translation.
        source_language: `en`, `fr` or `bm`.
        target_language: Another of them; if it is the same, nothing is compared.
    """
    if source_language == target_language:
        return []
    languages = source_language, target_language
    sides = _Side.of(source, source_language), _Side.of(target, target_language)
    return [
        *_numbers(*sides),
        *_units(*sides),
        *_dates(*sides),
        *_names(source, target, *languages),
        *_repetition(source, target, target_language),
        *_length_ratio(source, target, *languages),
        *_untranslated(source, target),
        *_left_in_bambara(source, target, target_language),
    ]


class _Side(NamedTuple):
    """A sentence or its translation, with what several checks look at, found once."""

    text: str
    language: str
    numbers: list[NumberMention]
    dates: list[DateMention]

    @classmethod
    def of(cls, text: str, language: str) -> _Side:
        return cls(text, language, numbers_in(text, language), dates_in(text, language))


def _numbers(source: _Side, target: _Side) -> Iterator[Finding]:
    """Numbers in figures that the other side has neither in figures nor in words, nor in a date that both have."""
    missing, invented = unmatched(source.numbers, target.numbers), unmatched(target.numbers, source.numbers)
    if not (missing or invented):
        return
    codes, other_codes = _codes(source.text), _codes(target.text)
    for mention in _outside((*_shared(source.dates, target.dates), *_shared_codes(codes, other_codes)), missing):
        yield Finding(WarningKind.NUMBER_MISMATCH, mention.span, None, "number not found in the translation")
    for mention in _outside((*_shared(target.dates, source.dates), *_shared_codes(other_codes, codes)), invented):
        yield Finding(WarningKind.NUMBER_MISMATCH, None, mention.span, "number not found in the source")


def _shared(dates: Iterable[DateMention], others: Iterable[DateMention]) -> list[Span]:
    """Where the whole dates stand that are among `others` too."""
    days = {(date.day, date.month, date.year) for date in others}
    return [date.span for date in dates if date.day and date.month and (date.day, date.month, date.year) in days]


def _units(source: _Side, target: _Side) -> Iterator[Finding]:
    """Numbers that both sides have, with another unit or without their minus sign."""
    measures, others = (measures_in(side.text, side.numbers, side.language) for side in (source, target))
    for measure in measures:
        if other := with_another_unit(measure, others):
            yield Finding(WarningKind.NUMBER_MISMATCH, measure.number.span, other.number.span, "another unit")
        if other := with_another_sign(measure, others):
            yield Finding(WarningKind.NUMBER_MISMATCH, measure.number.span, other.number.span, "minus sign lost")
    for other in others:
        if measure := with_another_sign(other, measures):
            yield Finding(WarningKind.NUMBER_MISMATCH, measure.number.span, other.number.span, "minus sign added")


_DATE_PARTS: dict[str, Callable[[DateMention], int | None]] = {
    "month": lambda date: date.month,
    "day of the week": lambda date: date.weekday,
}


def _dates(source: _Side, target: _Side) -> Iterator[Finding]:
    """Months and days of the week that one side has and the other has another for; one that is left out is no error."""
    for name, part in _DATE_PARTS.items():
        told, told_by_other = ({part(date) for date in side.dates} | {None} for side in (source, target))
        missing = [date.span for date in source.dates if part(date) not in told_by_other]
        invented = [date.span for date in target.dates if part(date) not in told]
        if missing and invented:
            for span in missing:
                yield Finding(WarningKind.NUMBER_MISMATCH, span, None, f"{name} not found in the translation")
            for span in invented:
                yield Finding(WarningKind.NUMBER_MISMATCH, None, span, f"{name} not found in the source")


_CODE = re.compile(r"\d(?:[ \u00a0\u202f.-]?\d){5,}")


def _codes(text: str) -> list[tuple[str, Span]]:
    """Runs of six digits or more, such as telephone numbers, which may be grouped in many ways, and their digits."""
    return [(re.sub(r"\D", "", found[0]), Span(*found.span())) for found in _CODE.finditer(text)]


def _shared_codes(codes: Iterable[tuple[str, Span]], others: Iterable[tuple[str, Span]]) -> list[Span]:
    digits = {other for other, _ in others}
    return [span for code, span in codes if code in digits]


def _outside(spans: Iterable[Span], mentions: Iterable[NumberMention]) -> list[NumberMention]:
    spans = list(spans)
    return [m for m in mentions if not any(s.start <= m.span.start and m.span.end <= s.end for s in spans)]


def _names(source: str, target: str, source_language: str, target_language: str) -> Iterator[Finding]:
    """Names of the source that the translation lacks, and names in it that sound like nothing in the source."""
    missing = unheard_names(source, target, text_language=source_language, other_language=target_language)
    for span in missing:
        yield Finding(WarningKind.NAME_MISSING, span, None, "name not found in the translation")
    invented = unheard_names(
        target, source, text_language=target_language, other_language=source_language, invented=True
    )
    for span in invented:
        yield Finding(WarningKind.NAME_MISSING, None, span, "name not found in the source")


_FEWEST_TIMES, _FEWEST_TIMES_APART = 3, 4


def _repetition(source: str, target: str, target_language: str) -> Iterator[Finding]:
    """Words or letters that come three times in a row or four times in all, and twice more than any in the source.

    In Bambara one word may come three times: *kelen kelen kelen*, one by one.
    """
    repetition, ordinary = most_repeated(target), most_repeated(source)
    if repetition is None:
        return
    reduplication = target_language == "bm" and repetition.words == 1
    fewest = _FEWEST_TIMES if repetition.in_a_row and not reduplication else _FEWEST_TIMES_APART
    if repetition.times >= max(fewest, ordinary.times + 2 if ordinary else 0):
        yield Finding(WarningKind.REPETITION, None, repetition.span, f"repeated {repetition.times} times")


_SLACK, _SLACK_OF_SHORT, _SHORT = 20, 60, 40
_LENGTH_RATIOS = {("en", "fr"): (0.84, 1.59), ("en", "bm"): (0.64, 1.39), ("fr", "bm"): (0.54, 1.3)}
"""Least and greatest length of the second language for one of the first, both 20 code points longer than they are.

About the 0.5 and 99.5 % quantiles of FLORES-200 dev; the 20 make room for short texts, whose lengths vary more, and 60
where neither side has 40: `at midnight` is `à 0 h`.
"""


def _length_ratio(source: str, target: str, source_language: str, target_language: str) -> Iterator[Finding]:
    """A translation that is shorter or longer than 99 % of human ones; it shows when half of one is lost.

    With the second half of each human translation cut off, it finds 99, 98, 80, 81, 88 and 91 % of them (in the order
    of the table above). An empty translation is always found.
    """
    slack = _SLACK_OF_SHORT if max(len(source), len(target)) < _SHORT else _SLACK
    ratio = (len(target) + slack) / (len(source) + slack)
    if (source_language, target_language) in _LENGTH_RATIOS:
        least, greatest = _LENGTH_RATIOS[source_language, target_language]
    else:
        least, greatest = (1 / bound for bound in reversed(_LENGTH_RATIOS[target_language, source_language]))
    if ratio < least or (source.strip() and not target.strip()):
        yield Finding(WarningKind.LENGTH_RATIO, detail="much shorter than usual")
    elif ratio > greatest:
        yield Finding(WarningKind.LENGTH_RATIO, detail="much longer than usual", category=Category.ADDITION)


_WORD = re.compile(r"[^\W\d_]{2,}")
_FEWEST_COPIED_WORDS = 3


def _untranslated(source: str, target: str) -> Iterator[Finding]:
    """A run of words copied from the source, three of them in lower case, or two if that is all there is.

    A headline in capitals or title case has none in lower case: it is found if it is copied whole.
    """
    in_source, in_target = list(_WORD.finditer(source)), list(_WORD.finditer(target))
    source_words, target_words = [word[0] for word in in_source], [word[0] for word in in_target]
    run = SequenceMatcher(None, source_words, target_words, autojunk=False).find_longest_match()
    copied = sum(word[0].islower() for word in source_words[run.a : run.a + run.size])
    whole = source_words == target_words != []
    if copied >= _FEWEST_COPIED_WORDS or (whole and (copied > 1 or is_headline(source))):
        source_span = Span(in_source[run.a].start(), in_source[run.a + run.size - 1].end())
        target_span = Span(in_target[run.b].start(), in_target[run.b + run.size - 1].end())
        yield Finding(WarningKind.UNTRANSLATED, source_span, target_span, "copied from the source")


_BAMBARA_LETTER = re.compile("[ɛɔɲŋ]", re.IGNORECASE)


def _left_in_bambara(source: str, target: str, target_language: str) -> Iterator[Finding]:
    """Words with a letter of Bambara in English or French, but for those that the source has."""
    if target_language == "bm" or not _BAMBARA_LETTER.search(target):
        return
    words = set(_WORD.findall(source))
    for word in _WORD.finditer(target):
        if _BAMBARA_LETTER.search(word[0]) and word[0] not in words:
            yield Finding(WarningKind.UNTRANSLATED, None, Span(*word.span()), "Bambara word")
