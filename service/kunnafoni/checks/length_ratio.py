"""Finds a translation that is much shorter or longer than human translations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.severity import Category

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.checks.analysed_text import AnalysedText

_SLACK, _SLACK_OF_SHORT, _SHORT = 20, 60, 40  # code points
_LENGTH_RATIOS = {("en", "fr"): (0.84, 1.59), ("en", "bm"): (0.64, 1.39), ("fr", "bm"): (0.54, 1.3)}
"""Smallest and greatest ratio of lengths, second language to first, after `_SLACK` is added to both lengths.

They are about the 0.5 and 99.5 % quantiles of FLORES-200 dev. The slack allows for short texts, whose lengths vary
more; it is greater if neither text has `_SHORT` code points: `at midnight` is `à 0 h`.
"""


def check_length_ratio(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """Find a translation that is shorter or longer than 99 % of human ones, such as one that lost its second half.

    If the second half of each human translation is cut off, it finds 99, 98, 80, 81, 88 and 91 % of them (in the order
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
