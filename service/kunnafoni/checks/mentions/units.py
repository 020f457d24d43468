"""Finds the units and signs of numbers, and tells whether a number has another one in another text.

A unit stands right after a number or, for currencies and in Bambara, right before it. A speed has the unit of its
length (*km/h*, *mph*), and all francs are the same unit. Only two different units of the table count: nothing is
converted, and a number without a unit matches any. *Dɔrɔmɛ* (five francs) is not in the table, as texts use it and
francs together.

It does not know whether the numbers themselves are right: see `numbers`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kunnafoni.checks.mentions.number_words import WORD
from kunnafoni.checks.names.forms import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kunnafoni.checks.mentions.numbers import NumberMention
    from kunnafoni.text.spans import Span

_CURRENCIES = {
    "euro": "€ euro euros eur ero",
    "dollar": "$ us$ dollar dollars usd dolari dolar",
    "pound": "£ sterling gbp",
    "naira": "₦ naira nairas",
    "franc": "f fcfa cfa cfaf xof xaf franc francs sefa sefawari",
}
_MEASURES = {
    "kilogram": "kg kilo kilos kilogram kilograms kilogramme kilogrammes kilogaramu",
    "tonne": "tonne tonnes ton tons toni",
    "kilometre": "km kmh kph kilometre kilometres kilometer kilometers kilometere kilometeri",
    "mile": "mile miles mph",
    "hectare": "ha hectare hectares",
    "acre": "acre acres",
    "per cent": "% percent pourcent",
    "degree Celsius": "°c",
    "degree Fahrenheit": "°f",
}
_UNITS = {form: unit for unit, forms in (_CURRENCIES | _MEASURES).items() for form in forms.split()}
_NOT_IN = {"en": {"f"}, "fr": set[str](), "bm": {"ton"}}
"""Forms with another meaning in that language: degrees Fahrenheit, an association."""
_UNIT = (
    r"(?:(?:pounds?|livres?)\s)?"
    rf"(?P<unit>US\$|[$£€₦%]|°\s?[CF]\b|(?:pour|per)\s?cent\b|{WORD.pattern})"
)
_AFTER = re.compile(rf"[\s-]?(?:de\s|d['’]|of\s)?{_UNIT}")
_BEFORE = re.compile(rf"(?<![^\W\d_]){_UNIT}\s?$")
_LONGEST_UNIT = 16
_MINUS = re.compile(r"(?:^|(?<=[\s(:«“\"]))(?<!\d\s)[-−]$")
_BELOW = re.compile(r"\b(?:minus|moins|below|under|negative|négati|sous|zero|zéro|jukɔrɔ|duguma)", re.IGNORECASE)
_FALL = re.compile(
    r"\b(?:f[ae]ll|drop|declin|decreas|down|lost|loss|shr[aiu]nk|lower|baiss|recul|chut|diminu|perd|perte|tomb|jigin"
    r"|dɔgɔya|bin)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its unit and sign.

    Attributes:
        number: The number.
        units: Units of the table beside it, usually one or none.
        negative: Whether a minus sign stands before it.
        below: Whether its text says in words that something is below zero.
        falls: Whether its text says that something falls: then there need not be a minus sign.
    """

    number: NumberMention
    units: frozenset[str]
    negative: bool
    below: bool
    falls: bool


def measures_in(text: str, numbers: Iterable[NumberMention], language: str) -> list[Measure]:
    """Find the units and signs of the numbers of a text, in order.

    Args:
        text: The text that `numbers_in` found them in.
        numbers: What it found.
        language: `en`, `fr` or `bm`.
    """
    below, falls = bool(_BELOW.search(text)), bool(_FALL.search(text))
    return [
        Measure(
            number,
            frozenset(_units(text, number.span, language)),
            bool(_MINUS.search(text, max(0, number.span.start - 3), number.span.start)),
            below,
            falls,
        )
        for number in numbers
    ]


def with_another_unit(measure: Measure, others: Iterable[Measure]) -> Measure | None:
    """The first of `others` that is the same number, if all of these have another unit; else None."""
    same = [other for other in others if measure.number.agrees(other.number)]
    differ = measure.units and all(other.units and measure.units.isdisjoint(other.units) for other in same)
    return same[0] if same and differ else None


def with_another_sign(measure: Measure, others: Iterable[Measure]) -> Measure | None:
    """The first of `others` that is the same number, if this one is negative and none of these is, in any form."""
    same = [other for other in others if measure.number.agrees(other.number)]
    is_negative = any(other.negative or other.below or (other.falls and not measure.falls) for other in same)
    return same[0] if same and measure.negative and not is_negative else None


def _units(text: str, span: Span, language: str) -> Iterator[str]:
    before = _BEFORE.search(text, max(0, span.start - _LONGEST_UNIT), span.start)
    after = _AFTER.match(text, span.end)
    if before and (unit := _unit(before["unit"], language)) and (unit in _CURRENCIES or language == "bm"):
        yield unit
    if after and (unit := _unit(after["unit"], language)):
        yield unit


def _unit(form: str, language: str) -> str | None:
    key = folded(form) if form.replace(" ", "").isalpha() else form.lower().replace(" ", "")
    return None if key in _NOT_IN[language] else _UNITS.get(key)
