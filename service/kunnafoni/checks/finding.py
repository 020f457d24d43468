"""A finding, which is one thing that looks wrong, and the types of findings. It does not know the checks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kunnafoni.checks.severity import Category
    from kunnafoni.text.spans import Span


class FindingType(StrEnum):
    """What a finding is about; the names are those of the wire."""

    NUMBER_MISMATCH = "NUMBER_MISMATCH"
    NAME_MISSING = "NAME_MISSING"
    REPETITION = "REPETITION"
    LENGTH_RATIO = "LENGTH_RATIO"
    UNTRANSLATED = "UNTRANSLATED"
    COMPARISON_MISMATCH = "COMPARISON_MISMATCH"
    DIRECTION_MISMATCH = "DIRECTION_MISMATCH"
    GLOSSARY_MISSED = "GLOSSARY_MISSED"
    PIVOTED = "PIVOTED"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that looks wrong.

    Attributes:
        type: What it is about.
        source_span: Where it is in the source text; None if it is not in it or concerns all of it.
        target_span: Where it is in the translation; None likewise.
        detail: A few English words for people. They never quote the texts.
        category: The kind of error, if its type has more than one; None: see `severity.CLASSIFICATIONS`.
    """

    type: FindingType
    source_span: Span | None = None
    target_span: Span | None = None
    detail: str = ""
    category: Category | None = None
