"""Runs all checks on the translation of one segment; they know nothing but the two texts.

Findings inform and never block. Each check is set so that it finds nothing in nearly all correct human translations.
Share of segments with a finding, in %, on the 931 lines of FLORES-200 dev whose `bm` is Bambara (66 other lines are in
Kikuyu):

                     human translations                     embedded model of 2026-11-26, first 100 lines, greedy
                     en-fr fr-en fr-bm bm-fr en-bm bm-en    en-fr fr-en fr-bm bm-fr en-bm bm-en
    NUMBER_MISMATCH    0.9   0.9   2.8   2.8   2.0   2.0      7.0   6.0  12.1  13.2  12.1  17.6
    NAME_MISSING       3.1   2.4   2.8   3.3   3.4   3.1     14.0   7.0   8.8   8.8   7.7  16.5
    REPETITION         0.0   0.0   0.0   0.0   0.0   0.0      1.0   0.0   1.1   3.3   0.0   0.0
    LENGTH_RATIO       1.0   1.0   0.4   0.5   1.0   1.0      3.0   1.0   4.4   3.3   5.5   4.4
    UNTRANSLATED       0.1   0.1   0.0   0.0   0.1   0.1      1.0   0.0   0.0   1.1   1.1   1.1
    any of them        4.7   4.1   5.8   6.6   6.2   5.9     24.0  12.0  24.2  24.2  25.3  36.3

The model decoded with its repetition penalty of 1.05. An earlier model, without a penalty and with checks that were
less strict in places, had findings in 29, 14, 59, 41, 46 and 40 of 100 segments.

To add a check: write a module with a function that takes the two texts and yields findings, state its rate of findings
on human translations in its docstring, add its type to `finding.py` with a category and severity in `severity.py`, and
list it in `CHECKS`.

This module does not know models, glossaries or routes: GLOSSARY_MISSED and PIVOTED are found elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.checks.analysed_text import AnalysedText
from kunnafoni.checks.comparison import check_comparison
from kunnafoni.checks.date_mismatch import check_dates
from kunnafoni.checks.direction import check_direction
from kunnafoni.checks.fractions_and_multiples import check_fractions
from kunnafoni.checks.length_ratio import check_length_ratio
from kunnafoni.checks.missing_names import check_names
from kunnafoni.checks.number_mismatch import check_numbers
from kunnafoni.checks.repetition import check_repetition
from kunnafoni.checks.unit_mismatch import check_units
from kunnafoni.checks.untranslated import check_left_in_bambara, check_untranslated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kunnafoni.checks.finding import Finding

    Check = Callable[[AnalysedText, AnalysedText], Iterator[Finding]]
    """Takes a segment and its translation, and yields what looks wrong."""


# Findings are listed in the order of the checks.
CHECKS: tuple[Check, ...] = (
    check_numbers,
    check_units,
    check_dates,
    check_fractions,
    check_comparison,
    check_direction,
    check_names,
    check_repetition,
    check_length_ratio,
    check_untranslated,
    check_left_in_bambara,
)


def check(source: str, target: str, *, source_language: str, target_language: str) -> list[Finding]:
    """Compare a segment with its translation; an empty list if nothing looks wrong.

    Args:
        source: One sentence or part of a sentence.
        target: Its translation.
        source_language: `en`, `fr` or `bm`.
        target_language: `en`, `fr` or `bm`; if it is the source's language, nothing is compared.

    Returns:
        Findings in the order of `CHECKS`; spans count from the beginning of `source` and `target`.
    """
    if source_language == target_language:
        return []
    texts = AnalysedText(source, source_language), AnalysedText(target, target_language)
    return [finding for run_check in CHECKS for finding in run_check(*texts)]
