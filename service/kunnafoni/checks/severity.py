"""Category and severity of each type of finding, in the terms of MQM.

MQM (Multidimensional Quality Metrics, themqm.org) is how translators classify errors. One table has the types of all
findings, of translations and of editions; the comments of `result.proto` have the same for clients.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Category(StrEnum):
    """The kind of error; the names are those of the wire. NONE is for a finding that is not an error."""

    NONE = "UNSPECIFIED"
    MISTRANSLATION = "ACCURACY_MISTRANSLATION"
    OMISSION = "ACCURACY_OMISSION"
    ADDITION = "ACCURACY_ADDITION"
    UNTRANSLATED = "ACCURACY_UNTRANSLATED"
    TERMINOLOGY = "TERMINOLOGY"
    LOCALE_CONVENTIONS = "LOCALE_CONVENTIONS"
    FLUENCY = "FLUENCY"


class Severity(StrEnum):
    """How bad the error is: not an error, a stumble for the reader, misleading, harmful."""

    NEUTRAL = "NEUTRAL"
    MINOR = "MINOR"
    MAJOR = "MAJOR"
    CRITICAL = "CRITICAL"


class Classification(NamedTuple):
    """Category and severity of a type of finding."""

    category: Category
    severity: Severity


CLASSIFICATIONS = {
    "NUMBER_MISMATCH": Classification(Category.MISTRANSLATION, Severity.MAJOR),
    "NAME_MISSING": Classification(Category.MISTRANSLATION, Severity.MAJOR),
    "REPETITION": Classification(Category.FLUENCY, Severity.MAJOR),
    "LENGTH_RATIO": Classification(Category.OMISSION, Severity.MAJOR),  # if shorter; if longer, the finding says so
    "UNTRANSLATED": Classification(Category.UNTRANSLATED, Severity.MAJOR),
    "COMPARISON_MISMATCH": Classification(Category.MISTRANSLATION, Severity.CRITICAL),
    "DIRECTION_MISMATCH": Classification(Category.MISTRANSLATION, Severity.CRITICAL),
    "GLOSSARY_MISSED": Classification(Category.TERMINOLOGY, Severity.MAJOR),
    "PIVOTED": Classification(Category.NONE, Severity.NEUTRAL),
    "UNSUPPORTED_NUMBER": Classification(Category.ADDITION, Severity.MAJOR),
    "UNSUPPORTED_DATE": Classification(Category.ADDITION, Severity.MAJOR),
    "UNSUPPORTED_NAME": Classification(Category.ADDITION, Severity.MAJOR),
    "UNSUPPORTED_QUOTATION": Classification(Category.ADDITION, Severity.CRITICAL),
    "EXTRACTIVE": Classification(Category.NONE, Severity.NEUTRAL),
    "TOO_SHORT": Classification(Category.NONE, Severity.NEUTRAL),
    "PARTIAL_COVERAGE": Classification(Category.OMISSION, Severity.MINOR),
    "OUTPUT_CAP": Classification(Category.OMISSION, Severity.MAJOR),
}
