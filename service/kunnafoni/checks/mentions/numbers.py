"""Finds the numbers of a text, in figures or in words, and tells which of them another text lacks.

Figures are read as is usual in the language: `1,234.5` in English, `1 234,5` and `1.234,5` in French and Bambara. Where
a mark may be a separator of thousands or decimals (`1,234`), both values count. Times, dates and ranges are several
numbers:
`9:30`, `9 h 30` and `9.30 a.m.` are 9 and 30. Roman numerals up to 39 count, as in `XIXe siècle` or `Pie XII`.

It does not know units or currencies. Bambara counts money in units of five francs (*dɔrɔmɛ*); nothing is converted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from kunnafoni.checks.mentions.number_words import WORD, factors_of, number_words_in
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Writing(StrEnum):
    """How a number is written."""

    DIGITS = "digits"
    """In figures: digits, alone or with a word like *million*, and Roman ordinals like `XIXe`."""
    WORDS = "words"
    """In words, or a Roman numeral alone: it can match a number of the other text, but is often not a number."""


@dataclass(frozen=True, slots=True)
class NumberMention:
    """A number in a text.

    Attributes:
        value: Its value: 2500000 for `2.5 million`, 25 for `25 %`, 5 for `5th` and `0005`, 22 for `10 p.m.`
        span: Where it stands, with its scale word.
        written_as: In figures or in words.
        other_values: Values that the same characters may also have: 1.234 for an English `1,234`, 22 for the 10 of
            `10 h du soir`, 70 for `1970s`, 1970 for `années 70`, 2025 for the 25 of `2024-25`, 100 for `100m`,
            2000000 for the 2 of `2 to 3 million`, 2.5 for `2 and a half`.
    """

    value: Decimal
    span: Span
    written_as: Writing
    other_values: tuple[Decimal, ...] = ()

    def agrees(self, other: NumberMention) -> bool:
        """Whether the two can be the same number."""
        return not {self.value, *self.other_values}.isdisjoint((other.value, *other.other_values))


def numbers_in(text: str, language: str) -> list[NumberMention]:
    """Find all numbers of `text`, in order.

    Args:
        text: Any text.
        language: `en`, `fr` or `bm`.
    """
    in_digits = [*_digits_in(text, language), *_roman_numerals_in(text)]
    rest = list(text)
    for mention in in_digits:
        rest[mention.span.start : mention.span.end] = "#" * (mention.span.end - mention.span.start)
    in_words = (
        NumberMention(Decimal(value), Span(start, end), Writing.WORDS)
        for value, start, end in number_words_in("".join(rest), language)
    )
    found = (_with_half(_with_half_day(mention, text), text, language) for mention in (*in_digits, *in_words))
    return sorted(found, key=lambda mention: mention.span)


def unmatched(mentions: Iterable[NumberMention], others: Iterable[NumberMention]) -> list[NumberMention]:
    """The mentions in figures that agree with none of `others`, in order; one of `others` can match several."""
    others = list(others)
    return [
        mention
        for mention in mentions
        if mention.written_as is Writing.DIGITS and not any(mention.agrees(other) for other in others)
    ]


_SPACE = r"[ \u00a0\u202f\u2009'’]"
_NUMBER = re.compile(
    rf"""
    (?P<spaced>\d{{1,3}}(?:{_SPACE}\d{{3}})+(?:[.,]\d+)?)(?!\d)
    | (?P<grouped>\d{{1,3}}(?P<mark>[.,])\d{{3}}(?:(?P=mark)\d{{3}})*(?:(?!(?P=mark))[.,]\d+)?)(?!\d)
    | (?P<plain>\d{{1,100}}(?:[.,]\d{{1,100}})?)
    """,
    re.VERBOSE,
)
_POINTS = re.compile(
    r"(?<![\d.,])\d\d?(?:\.\d\d){2,}(?:\d\d)?(?!\d|[.,]\d)|\d\d?\.(?!00)\d\d(?=\s?[ap]\.?m\b)", re.IGNORECASE
)
"""Telephone numbers, dates and hours with points: `76.12.34.56`, `12.03.2024`, `2.30pm`."""
_WORD_AFTER = re.compile(
    rf"(?P<range>[ \u00a0\u202f]?(?:[-–]|to|and|or|à|et|ou)[ \u00a0\u202f]?\d{{1,3}}(?:[.,]\d{{1,3}})?)?"
    rf"[ \u00a0\u202f-]?(?P<word>{WORD.pattern})"
)
_WORD_BEFORE = re.compile(rf"({WORD.pattern})[ \u00a0\u202f]$")
_NO_NUMBER = re.compile(r"(?:\d[:hH]00|(?<![^\W\d_])[kcdm]?m[23])$")
"""Full hours (`11:00` and `11 h`) and the exponents of `km2`."""
_PRIME_MINISTER = re.compile(r"1er[ \u00a0]ministre", re.IGNORECASE)
_CLOCK = re.compile(
    r"(?:[:.]\d\d)?(?P<range>\s?(?:[-–]|to|and|or)\s?\d\d?(?:[:.]\d\d)?)?\s?(?P<half>[ap])\.?m\b", re.IGNORECASE
)
_MINUTES_BEFORE = re.compile(r"\d[:.]$")
_AFTERNOON = re.compile(
    r"\b(?:evening|afternoon|night|tonight|soir|soirée|après-midi|nuit|su|surɔ|sufɛ|wula|wulafɛ|wulada\w*|tilelafɛ)\b",
    re.IGNORECASE,
)
_NEAR = 40  # code points
_DECADE_AFTER = re.compile(r"['’]?s\b")
_YEAR_BEFORE = re.compile(r"(?<!\d)((?:1\d|2[01]))\d\d[-–/]$")
_DECADE_BEFORE = re.compile(r"années\s$")
_ROMAN = re.compile(r"\b(?=[IVX])(X{0,3})(IX|IV|V?I{0,3})(e|ᵉ|è|ème|er|ᵉʳ|re|ʳᵉ)?\b")
_ROMAN_UNITS = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_LONGEST_SCALE = 12
_CURRENCIES = frozenset("$£€¥₦")


def _digits_in(text: str, language: str) -> Iterator[NumberMention]:
    for match in _NUMBER.finditer(_POINTS.sub(lambda found: found[0].replace(".", " "), text)):
        start, end = match.span()
        if _NO_NUMBER.search(text, max(0, start - 3), end) or _PRIME_MINISTER.match(text, start):
            continue
        values, span = _scaled(_values(match, language), text, Span(start, end), language)
        values += _years(values[0], text, match.span())
        yield NumberMention(values[0], span, Writing.DIGITS, tuple(dict.fromkeys(values[1:])))


def _values(match: re.Match[str], language: str) -> list[Decimal]:
    """The possible values of a matched number, most likely first."""
    digits = re.sub(_SPACE, "", match[0])
    mark = match["mark"]
    if mark is None:
        return [Decimal(digits.replace(",", "."))]
    whole = Decimal(digits.replace(mark, "").replace(",", "."))
    if digits.count(mark) > 1 or not digits[-4:].startswith(mark):
        return [whole]
    fraction = Decimal(digits.replace(",", "."))
    return [whole, fraction] if mark == ("," if language == "en" else ".") else [fraction, whole]


def _scaled(values: list[Decimal], text: str, span: Span, language: str) -> tuple[list[Decimal], Span]:
    """The values of the number at `span` multiplied by the scale beside it, and the span including the scale."""
    start, end = span.start, span.end
    if (after := _WORD_AFTER.match(text, end)) and (factors := factors_of(after["word"], language)):
        if after["range"]:
            return values + [value * factors[0] for value in values], span
        end = after.end("word")
        if not _CURRENCIES.isdisjoint((text[start - 1 : start], text[end : end + 1])):
            factors = factors[:1]  # `$3m` is not a length
    elif language == "bm" and (before := _WORD_BEFORE.search(text, max(0, start - _LONGEST_SCALE), start)):
        factors = factors_of(before[1], language)
        start = before.start() if factors else start
    else:
        factors = ()
    return [value * factor for factor in factors or (1,) for value in values], Span(start, end)


_NOON = 12


def _with_half_day(mention: NumberMention, text: str) -> NumberMention:
    """Add the hour of a 24-hour clock: `8 p.m.` is 20, *8 h du soir* is 8 or 20."""
    start, end = mention.span.start, mention.span.end
    if mention.value not in range(1, _NOON + 1) or _MINUTES_BEFORE.search(text, max(0, start - 2), start):
        return mention
    clock = _CLOCK.match(text, end)
    hour = mention.value % _NOON + (0 if clock and clock["half"] in "aA" else _NOON)
    if clock and not clock["range"]:
        return replace(mention, value=hour)
    if clock or _AFTERNOON.search(text, max(0, start - _NEAR), end + _NEAR):
        return replace(mention, other_values=(*mention.other_values, hour))
    return mention


_OLDEST_SHORT_DECADE = 90


def _years(value: Decimal, text: str, span: tuple[int, int]) -> list[Decimal]:
    """The other value of a number that is a decade or the second year of `2024-25`, if it is one."""
    start, end = span
    if (year := _YEAR_BEFORE.search(text, max(0, start - 5), start)) and end - start == 2:  # noqa: PLR2004
        return [value + 100 * int(year[1])]
    if value in range(10, 2100, 10) and (
        _DECADE_AFTER.match(text, end) or _DECADE_BEFORE.search(text, max(0, start - 8), start)
    ):
        return [value % 100] if value > _OLDEST_SHORT_DECADE else [value + 1900]
    return []


_HALF_BEFORE = re.compile(r"\b(?:half[ -](?:an? )?|demi-)$", re.IGNORECASE)
_HALF_AFTER = re.compile(
    rf"(?:[ \u00a0]\w+)?[ \u00a0](?:and a half|et demie?|ni tilanc[ɛe])\b(?:[ \u00a0-](?P<word>{WORD.pattern}))?"
)
_UNITS = (10**9, 10**6, 1000, 1)
_LARGEST = 10**12


def _with_half(mention: NumberMention, text: str, language: str) -> NumberMention:
    """Add the value with a half beside it: *half a million*, *un million et demi*, *deux ans et demi*."""
    value = mention.value
    if _HALF_BEFORE.search(text, max(0, mention.span.start - 8), mention.span.start):
        halves = [value / 2]
    elif value < _LARGEST and (after := _HALF_AFTER.match(text, mention.span.end)):
        half = Decimal(next((unit for unit in _UNITS if value % unit == 0), 1)) / 2
        halves = [(value + half) * factor for factor in factors_of(after["word"] or "", language) or (1,)]
    else:
        return mention
    return replace(mention, other_values=(*mention.other_values, *halves))


def _roman_numerals_in(text: str) -> Iterator[NumberMention]:
    """Find Roman ordinals, and numerals of two letters or more: a single letter is often a pronoun or an initial."""
    for match in _ROMAN.finditer(text):
        if match[3] or len(match[0]) > 1:
            value = Decimal(10 * len(match[1]) + _ROMAN_UNITS.index(match[2]))
            yield NumberMention(value, Span(*match.span()), Writing.DIGITS if match[3] else Writing.WORDS)
