"""Finds names that only one of the two texts has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.names.phonetic import unmatched_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.checks.analysed_text import AnalysedText


def check_names(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """Find names of the source that the translation lacks, and names in it that match no word of the source."""
    missing = unmatched_names(source.text, target.text, text_language=source.language, other_language=target.language)
    for span in missing:
        yield Finding(FindingType.NAME_MISSING, span, None, "name not found in the translation")
    invented = unmatched_names(
        target.text, source.text, text_language=target.language, other_language=source.language, invented=True
    )
    for span in invented:
        yield Finding(FindingType.NAME_MISSING, None, span, "name not found in the source")
