"""Findings about a text of an edition, of all types, under the names of the wire, worst first.

This module names, places and orders them. `checks/` finds what looks wrong; `summaries` says how a text was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from kunnafoni.checks.faithfulness import UnsupportedFactType, unsupported_facts
from kunnafoni.checks.finding import FindingType
from kunnafoni.languages import LANGUAGES, UNDETERMINED
from kunnafoni.text.language_id import identify
from kunnafoni.text.sentences import sentence_ends
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kunnafoni.checks.severity import Category


class EditionFindingType(StrEnum):
    """What a finding says about how a text was made; the names are those of the wire."""

    OUTPUT_CAP = "OUTPUT_CAP"
    TOO_SHORT = "TOO_SHORT"
    EXTRACTIVE = "EXTRACTIVE"
    PARTIAL_COVERAGE = "PARTIAL_COVERAGE"


AnyFindingType = EditionFindingType | FindingType | UnsupportedFactType
WORST_FIRST: tuple[AnyFindingType, ...] = (
    *UnsupportedFactType,
    FindingType.NUMBER_MISMATCH,
    FindingType.NAME_MISSING,
    FindingType.COMPARISON_MISMATCH,
    FindingType.DIRECTION_MISMATCH,
    FindingType.REPETITION,
    EditionFindingType.OUTPUT_CAP,
    FindingType.UNTRANSLATED,
    FindingType.LENGTH_RATIO,
    FindingType.GLOSSARY_MISSED,
    EditionFindingType.TOO_SHORT,
    EditionFindingType.EXTRACTIVE,
    EditionFindingType.PARTIAL_COVERAGE,
    FindingType.PIVOTED,
)
_DETAILS = {
    UnsupportedFactType.UNSUPPORTED_NUMBER: "number not found in the article",
    UnsupportedFactType.UNSUPPORTED_DATE: "date not found in the article",
    UnsupportedFactType.UNSUPPORTED_NAME: "name not found in the article",
    UnsupportedFactType.UNSUPPORTED_QUOTATION: "quotation not found in the article",
}


@dataclass(frozen=True, slots=True)
class EditionFinding:
    """One thing that an editor should look at in a text of an edition.

    Attributes:
        type: What it is about.
        span: Where it is in that text; None if it concerns the whole of it, or something that it lacks.
        source_span: Where it is in the text that was translated; None likewise, or if nothing was translated.
        detail: A few English words for people. They never quote a text.
        source_words: What it is about in a text before translation that the input_maker does not have; else empty.
        category: The kind of error, where its kind has more than one; None: see `severity.CLASSIFICATIONS`.
    """

    type: AnyFindingType
    detail: str
    span: Span | None = None
    source_span: Span | None = None
    source_words: str = ""
    category: Category | None = None


def not_in_article(text: str, article: str, *, language: str, article_language: str) -> list[EditionFinding]:
    """Find the facts of `text` that `article` does not have; blocking, in proportion to the length of both."""
    facts = unsupported_facts(text, article, summary_language=language, article_language=article_language)
    return [EditionFinding(fact.type, _DETAILS[fact.type], fact.span) for fact in facts]


_MIN_WORDS, _MIN_CONFIDENCE = 5, 0.9
"""A sentence with fewer words, or identified with less confidence, is no finding.

Among the 2,991 lines of FLORES-200 dev and 3,309 sentences of articles (OrangeSum, GUM) there are 2 findings: a French
sentence in an English article, and a Spanish name with its English translation.
"""


def in_another_language(text: str, language: str) -> list[EditionFinding]:
    """Find the sentences of `text` that are surely not in `language`; blocking, in proportion to its length."""
    ends = [0, *sentence_ends(text, language)] if text else []
    sentences = [Span(start, end) for start, end in pairwise(ends) if len(text[start:end].split()) >= _MIN_WORDS]
    found = [(sentence, identify(text[sentence.start : sentence.end])) for sentence in sentences]
    return [
        EditionFinding(
            FindingType.UNTRANSLATED, f"this sentence is in {LANGUAGES[guess.language_code].english_name}", sentence
        )
        for sentence, guess in found
        if guess.language_code not in {language, UNDETERMINED} and guess.confidence >= _MIN_CONFIDENCE
    ]


def worst_first(findings: Iterable[EditionFinding]) -> tuple[EditionFinding, ...]:
    """Order findings, each once, worst first; if two are about the same span, only the worse one is kept."""
    ordered = sorted(dict.fromkeys(findings), key=lambda finding: WORST_FIRST.index(finding.type))
    spans_seen: set[Span] = set()
    kept: list[EditionFinding] = []
    for finding in ordered:
        if finding.span is None or finding.span not in spans_seen:
            kept.append(finding)
        if finding.span:
            spans_seen.add(finding.span)
    return tuple(kept)
