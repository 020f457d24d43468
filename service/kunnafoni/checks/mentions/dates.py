"""Finds the dates of a text and their parts, in words of English, French or Bambara, or in figures.

It knows days of the month, months, years and weekdays beside each other (*mardi 26 novembre*, *November 26, 2019*,
*zuluyekalo tile 12*, *2019-11-26*), and ranges (*du 26 au 28 novembre*). It does not know relative dates
(*yesterday*), which year a date without one means, or the calendar: no weekday is worked out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kunnafoni.checks.mentions.number_words import number_words_in
from kunnafoni.checks.names.forms import folded
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class DateMention:
    """A date in a text. A part that the text does not have is None; at least one part besides the year is there.

    Attributes:
        span: From its first part to its last.
        weekday: 0 is Monday.
        day: Day of the month.
        month: 1 is January.
        year: Four digits.
    """

    span: Span
    weekday: int | None = None
    day: int | None = None
    month: int | None = None
    year: int | None = None


def _numbered(first: int, *groups: str) -> dict[str, int]:
    """Number the words of each group; slashes separate the spellings of one word."""
    return {
        word: number
        for group in groups
        for number, spellings in enumerate(group.split(), first)
        for word in spellings.split("/")
    }


_MONTHS = {
    "en": _numbered(
        1,
        "january/jan february/feb march/mar april/apr may june/jun july/jul august/aug september/sept/sep october/oct "
        "november/nov december/dec",
    ),
    "fr": _numbered(
        1,
        "janvier/janv fevrier/fevr mars avril/avr mai juin juillet/juil aout septembre octobre/oct novembre/nov "
        "decembre/dec",
    ),
    "bm": _numbered(
        1,
        "zanwuye/zanwiye feburuye/feburiye/fewuruye marisi/marsi awirili/avirili me zuwen/zuyen "
        "zuluye/zuliye/zuwe/zuye uti/ut/oti/outi setanburu/setamburu okutoburu/okutobru nowanburu/nowamburu/nowenburu "
        "desanburu/desamburu",
    ),
}
_WEEKDAYS = {
    "en": _numbered(0, "monday/mon tuesday/tue/tues wednesday/wed thursday/thu/thurs friday/fri saturday sunday"),
    "fr": _numbered(0, "lundi mardi mercredi jeudi vendredi samedi dimanche"),
    "bm": _numbered(0, "ntenen/tenen tarata araba alamisa juma/zuma sibiri kari/dimansi"),
}
_ONLY_WITH_CAPITAL = {"may", "march", "mar", "sat", "sun", "mon", "wed"}
_ONLY_BEFORE_KALO = {"me", "ut", "uti", "oti", "marisi", "zuwe", "zuye"}
"""Other Bambara words (*zuye* is a game) unless *kalo*, month, follows."""
_AFTER_TILE = re.compile(r"\btile\s$", re.IGNORECASE)

_TOKEN = re.compile(r"\d+|[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*")
_FIGURES = re.compile(r"(?<!\d)(?:([12]\d{3})-(\d\d)-(\d\d)|(\d\d?)([/.])(\d\d?)\5([12]\d{3}))(?!\d)")
_SAME_DATE = re.compile(r"[\s,.–-]{0,3}")
_FILLERS = frozenset({"er", "e", "st", "nd", "rd", "th", "the", "of", "de", "du", "le", "kalo", "tile", "don", "san"})
_RANGE_WORDS = frozenset({"et", "au", "and", "to", "ou", "or", "ni", "ka"})
_LAST_DAY, _LAST_MONTH = 31, 12
_YEARS = range(1000, 2200)
_DIGITS = {1, 2, 4}  # of a day, of a year

# One letter per token: Weekday, Day, Month, Year, Filler, Range word, other (X); `|` where a date cannot continue.
_DAY_FIRST = r"(?:(?P<weekday>W)F*)?(?:(?P<from>D)F*(?:RF*)?)?(?P<day>D)F*(?P<month>M)(?:F*(?P<year>Y))?"
_MONTH_FIRST = r"(?:(?P<weekday>W)F*)?(?P<month>M)F*(?P<day>D)(?!F*M)(?:F*(?:RF*)?(?P<to>D)(?!F*M))?(?:F*(?P<year>Y))?"
_PARTS_ALONE = r"(?P<month>M)F*(?P<year>Y)?|(?P<weekday>W)"


def _patterns(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(map(re.compile, patterns))


_PATTERNS = {
    "en": _patterns(_DAY_FIRST, _MONTH_FIRST, _PARTS_ALONE),
    "fr": _patterns(_DAY_FIRST, _PARTS_ALONE),
    "bm": _patterns(_DAY_FIRST, _MONTH_FIRST, _PARTS_ALONE),
}


def dates_in(text: str, language: str) -> list[DateMention]:
    """Find the dates of `text`, in order; a range gives two dates, its first and its last day.

    `03/04/2019` is the fourth of March in English and the third of April in French and Bambara.

    Args:
        text: Any text.
        language: `en`, `fr` or `bm`.
    """
    mentions = list(_dates_in_figures(text, language))
    tokens = list(_TOKEN.finditer(text))
    numbers = {token.start(): int(token[0]) for token in tokens if token[0].isdecimal() and len(token[0]) in _DIGITS}
    if language == "bm":
        numbers |= _spelled_days(text)
    letters, places = _letters(text, tokens, numbers, language)
    start, last = 0, max(map(letters.rfind, "MW"))  # no date begins after the last month or day of the week
    while start <= last:
        match = next((m for pattern in _PATTERNS[language] if (m := pattern.match(letters, start))), None)
        if match is None:
            start += 1
            continue
        mentions += _dates_of(match, [tokens[place] for place in places], numbers, language)
        start = match.end()
    return sorted(mentions, key=lambda mention: mention.span)


def _dates_in_figures(text: str, language: str) -> Iterator[DateMention]:
    for match in _FIGURES.finditer(text):
        year, month, day, first, _, second, last = match.groups()
        if not year:
            month_first = language == "en" and int(first) <= _LAST_MONTH
            year, month, day = (last, first, second) if month_first else (last, second, first)
        if 1 <= int(month) <= _LAST_MONTH and 1 <= int(day) <= _LAST_DAY:
            yield DateMention(Span(*match.span()), day=int(day), month=int(month), year=int(year))


def _spelled_days(text: str) -> dict[int, int]:
    """Map the start of each numeral after *tile*, day, as in *tile fɔlɔ*, to its value."""
    return {
        start: value
        for value, start, _ in number_words_in(text, "bm")
        if _AFTER_TILE.search(text, max(0, start - 6), start)
    }


def _letters(
    text: str, tokens: list[re.Match[str]], numbers: Mapping[int, int], language: str
) -> tuple[str, list[int]]:
    """One letter per token, and for each letter the index of its token."""
    letters: list[str] = []
    places: list[int] = []
    for place, token in enumerate(tokens):
        if place and not _SAME_DATE.fullmatch(text, tokens[place - 1].end(), token.start()):
            letters.append("|")
            places.append(place)
        following = tokens[place + 1][0] if place + 1 < len(tokens) else ""
        number = numbers.get(token.start())
        letters.append(_letter(token[0], following, language) if number is None else _letter_of(number))
        places.append(place)
    return "".join(letters), places


def _letter_of(number: int) -> str:
    if 1 <= number <= _LAST_DAY:
        return "D"
    return "Y" if number in _YEARS else "X"


def _letter(token: str, following: str, language: str) -> str:
    word = _word(token, language)
    other_word = (word in _ONLY_WITH_CAPITAL and token.islower() and language == "en") or (
        word in _ONLY_BEFORE_KALO and language == "bm" and "kalo" not in {folded(following), folded(token)[-4:]}
    )
    words_by_letter = {"F": _FILLERS, "R": _RANGE_WORDS} | (
        {} if other_word else {"W": _WEEKDAYS[language], "M": _MONTHS[language]}
    )
    return next((letter for letter in "WMRF" if word in words_by_letter.get(letter, ())), "X")


def _word(token: str, language: str) -> str:
    """The folded `token`; in Bambara without *kalo* (month) or *don* (day) at its end."""
    word = folded(token)
    if language == "bm":
        return word.removesuffix("kalo").removesuffix("don") or word
    return word


def _dates_of(
    match: re.Match[str], tokens: list[re.Match[str]], numbers: Mapping[int, int], language: str
) -> Iterator[DateMention]:
    """Yield the date of a match, whose letters stand for `tokens`, and the other date of a range."""

    def token(part: str) -> re.Match[str] | None:
        found = part in match.re.groupindex and match.start(part) >= 0
        return tokens[match.start(part)] if found else None

    def word(part: str) -> str:
        return _word(found[0], language) if (found := token(part)) else ""

    def number(part: str) -> int | None:
        return numbers[found.start()] if (found := token(part)) else None

    date = DateMention(
        span=Span(tokens[match.start()].start(), tokens[match.end() - 1].end()),
        weekday=_WEEKDAYS[language].get(word("weekday")),
        day=number("day"),
        month=_MONTHS[language].get(word("month")),
        year=number("year"),
    )
    yield date
    for other_day in (number("from"), number("to")):
        if other_day is not None:
            yield replace(date, day=other_day)
