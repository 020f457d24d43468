"""A translation that is much shorter or longer than people's translations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.severity import Category

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.checks.analysed_text import AnalysedText

_SLACK, _SLACK_OF_SHORT, _SHORT = 20, 60, 40
_LENGTH_RATIOS = {("en", "fr"): (0.84, 1.59), ("en", "bm"): (0.64, 1.39), ("fr", "bm"): (0.54, 1.3)}
"""Least and greatest length of the second language for one of the first, both 20 code points longer than they are.

About the 0.5 and 99.5 % quantiles of FLORES-200 dev; the 20 make room for short texts, whose lengths vary more, and 60
where neither side has 40: `at midnight` is `à 0 h`.
"""


def check_length_ratio(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """A translation that is shorter or longer than 99 % of human ones; it shows when half of one is lost.

    With the second half of each human translation cut off, it finds 99, 98, 80, 81, 88 and 91 % of them (in the order
    of the table in `registry.py`). An empty translation is always found.
    """
    slack = _SLACK_OF_SHORT if max(len(source.text), len(target.text)) < _SHORT else _SLACK
    ratio = (len(target.text) + slack) / (len(source.text) + slack)
    if (source.language, target.language) in _LENGTH_RATIOS:
        least, greatest = _LENGTH_RATIOS[source.language, target.language]
    else:
        least, greatest = (1 / bound for bound in reversed(_LENGTH_RATIOS[target.language, source.language]))
    if ratio < least or (source.text.strip() and not target.text.strip()):
        yield Finding(FindingType.LENGTH_RATIO, detail="much shorter than usual")
    elif ratio > greatest:
        yield Finding(FindingType.LENGTH_RATIO, detail="much longer than usual", category=Category.ADDITION)
