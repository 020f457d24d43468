"""Rises that become falls between English and French, and the other way round.

Words of rising and falling count, and where a side has none the order of the two numbers of *from 61 to 68*. It flags
none of the human translations of FLORES-200 dev, and 8 of 22 changed ones of the held-out contrast set.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.poles import Pole, opposite_spans, poles_in
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.checks.analysed_text import AnalysedText

_WORDS = {
    "en": re.compile(
        r"""
        \b(?:
            (?P<high>rise[sn]?|rose|rising|increas\w+|grow[ns]?|grew|growing|growth|climb\w*|jump(?:s|ed|ing)?|soar\w*
                |surg\w+|upturn|hikes?|hiked|swell\w*|swollen|up\ (?:by|from|to|\d)|rebound\w*|rall(?:y|ied)|upwards?
                |rocket\w*|doubl\w+|tripl\w+|accelerat\w+)
            | (?P<low>falls?|fell|fallen|falling|drop(?:s|ped|ping)?|declin\w+|decreas\w+|plung\w+|plummet\w*|slump\w*
                |shrink\w*|shrank|shrunk|dwindl\w+|lowered|reduc\w+|sank|sunk|slid|tumbl\w+|down\ (?:by|from|to|\d)
                |downturn|slip(?:s|ped)|dip(?:s|ped)?|halv\w+|downwards?|diminish\w*|contract(?:s|ed)\ (?:by|for)|shed)
        )\b
        """,
        re.VERBOSE | re.IGNORECASE,
    ),
    "fr": re.compile(
        r"""
        \b(?:
            (?P<high>hausses?|augment\w+|progress\w+|croît|croiss\w+|crû|accru\w*|accroît\w*|accroiss\w+|grimp\w+
                |bond(?:i|it|is|s)?|mont(?:e|ent|é|ée|ées|és|er|ait|ant)|envol\w*|flamb\w+|relev(?:é|er|ée)\ (?:à|de)
                |redress\w+|rebond\w*|doubl\w+|tripl\w+|gonfl\w+|accélér\w+|explos(?:e|é|ent))
            | (?P<low>baiss\w+|diminu\w+|chut\w+|recul\w*|dégring\w+|effondr\w+|plong(?:e|é|ent|er|eon)|rédu\w+
                |retomb\w+|tomb(?:e|é|ée|ées|ent|er)\ (?:à|de|sous)|fléch\w+|repli\w*|abaiss\w+|déclin\w*|décru\w*
                |décroît\w*|décroiss\w+|amenuis\w+|contract(?:é|e|ée)s?|rétréci\w*)
        )\b
        """,
        re.VERBOSE | re.IGNORECASE,
    ),
}
_NUMBER = r"(\d+(?:[ \u00a0\u202f.,]\d+)*)"
_FROM_TO = {
    "en": re.compile(rf"\bfrom\W{{1,3}}{_NUMBER}[^.;:]{{0,40}}?\bto\W{{1,3}}{_NUMBER}", re.IGNORECASE),
    "fr": re.compile(rf"\bde\W{{1,3}}{_NUMBER}[^.;:]{{0,40}}?\bà\W{{1,3}}{_NUMBER}", re.IGNORECASE),
}
_YEARS = range(1800, 2101)


def check_direction(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """One side only rises, the other only falls."""
    if source.language not in _WORDS or target.language not in _WORDS:
        return
    found = _directions(source), _directions(target)
    for source_span, target_span in opposite_spans(*found):
        yield Finding(
            FindingType.DIRECTION_MISMATCH, source_span, target_span, "a rise became a fall, or a fall a rise"
        )


def _directions(side: AnalysedText) -> list[tuple[Pole, Span]]:
    words = poles_in(side.text, _WORDS[side.language])
    return words or list(_order_of_numbers(side))


def _order_of_numbers(side: AnalysedText) -> Iterator[tuple[Pole, Span]]:
    for found in _FROM_TO[side.language].finditer(side.text):
        first, second = (_value(number, side.language) for number in found.groups())
        if first != second and not (first in _YEARS and second in _YEARS):
            yield Pole.HIGH if first < second else Pole.LOW, Span(*found.span())


def _value(number: str, language: str) -> float:
    digits = re.sub(r"[ \u00a0\u202f]", "", number)
    thousands, decimal = (",", ".") if language == "en" else (".", ",")
    return float(digits.replace(thousands, "").replace(decimal, ".").rstrip(".") or 0)
