"""Finds numbers that have another unit in the translation, or lost or gained a minus sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.mentions.units import measures_in, with_another_sign, with_another_unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.checks.analysed_text import AnalysedText


def check_units(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """Find numbers that both texts have, but with different units, or with a minus sign in only one."""
    measures, target_measures = (measures_in(text.text, text.numbers, text.language) for text in (source, target))
    for measure in measures:
        if other := with_another_unit(measure, target_measures):
            yield Finding(FindingType.NUMBER_MISMATCH, measure.number.span, other.number.span, "another unit")
        if other := with_another_sign(measure, target_measures):
            yield Finding(FindingType.NUMBER_MISMATCH, measure.number.span, other.number.span, "minus sign lost")
    for other in target_measures:
        if measure := with_another_sign(other, measures):
            yield Finding(FindingType.NUMBER_MISMATCH, measure.number.span, other.number.span, "minus sign added")
