"""Numbers with another unit, or without their sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.mentions.units import measures_in, with_another_sign, with_another_unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.checks.analysed_text import AnalysedText


def check_units(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """Numbers that both sides have, with another unit or without their minus sign."""
    measures, others = (measures_in(side.text, side.numbers, side.language) for side in (source, target))
    for measure in measures:
        if other := with_another_unit(measure, others):
            yield Finding(FindingType.NUMBER_MISMATCH, measure.number.span, other.number.span, "another unit")
        if other := with_another_sign(measure, others):
            yield Finding(FindingType.NUMBER_MISMATCH, measure.number.span, other.number.span, "minus sign lost")
    for other in others:
        if measure := with_another_sign(other, measures):
            yield Finding(FindingType.NUMBER_MISMATCH, measure.number.span, other.number.span, "minus sign added")
