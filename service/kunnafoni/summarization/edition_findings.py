"""What an editor is told about a text of an edition: findings of all kinds under the names of the wire, worst first.

It only names, places and orders them: `faithfulness`, `checks` and `summaries` find them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from kunnafoni.checks.faithfulness import FindingKind, unsupported
from kunnafoni.checks.finding import FindingType
from kunnafoni.languages import LANGUAGES, UNDETERMINED
from kunnafoni.text.language_id import identify
from kunnafoni.text.sentences import sentence_ends
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kunnafoni.checks.severity import Category


class Mark(StrEnum):
    """What is said of a text because of how it was made; the names are those of the wire."""

    OUTPUT_CAP = "OUTPUT_CAP"
    TOO_SHORT = "TOO_SHORT"
    EXTRACTIVE = "EXTRACTIVE"
    PARTIAL_COVERAGE = "PARTIAL_COVERAGE"


Kind = Mark | FindingType | FindingKind
WORST_FIRST: tuple[Kind, ...] = (
    *FindingKind,
    FindingType.NUMBER_MISMATCH,
    FindingType.NAME_MISSING,
    FindingType.COMPARISON_MISMATCH,
    FindingType.DIRECTION_MISMATCH,
    FindingType.REPETITION,
    Mark.OUTPUT_CAP,
    FindingType.UNTRANSLATED,
    FindingType.LENGTH_RATIO,
    FindingType.GLOSSARY_MISSED,
    Mark.TOO_SHORT,
    Mark.EXTRACTIVE,
    Mark.PARTIAL_COVERAGE,
    FindingType.PIVOTED,
)
_DETAILS = {
    FindingKind.UNSUPPORTED_NUMBER: "number not found in the article",
    FindingKind.UNSUPPORTED_DATE: "date not found in the article",
    FindingKind.UNSUPPORTED_NAME: "name not found in the article",
    FindingKind.UNSUPPORTED_QUOTATION: "quotation not found in the article",
}


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to look at in a text.

    Attributes:
        span: Where it is in that text; None if it concerns the whole of it, or something that it lacks.
        source_span: Where it is in the text that was translated; None likewise, or if nothing was.
        detail: A few English words for people. They never quote a text.
        source_words: What it is about in a text before translation that the reader does not have; else empty.
        category: The kind of error, where its kind has more than one; None: see `severity.CLASSIFICATIONS`.
    """

    kind: Kind
    detail: str
    span: Span | None = None
    source_span: Span | None = None
    source_words: str = ""
    category: Category | None = None


def not_in_article(text: str, article: str, *, language: str, article_language: str) -> list[Remark]:
    """What `text` tells and `article` does not; blocking, in proportion to the length of both."""
    findings = unsupported(text, article, summary_language=language, article_language=article_language)
    return [Remark(finding.kind, _DETAILS[finding.kind], finding.span) for finding in findings]


_FEWEST_WORDS, _SURE = 5, 0.9
"""Of a sentence with fewer words, and with less confidence than that, its language is not told.

Of the 2,991 lines of FLORES-200 dev and 3,309 sentences of articles (OrangeSum, GUM) it finds 2: one is French in an
English article, one a Spanish name with its English translation.
"""


def in_another_language(text: str, language: str) -> list[Remark]:
    """The sentences of `text` that are surely not in `language`; blocking, in proportion to its length."""
    ends = [0, *sentence_ends(text, language)] if text else []
    sentences = [Span(start, end) for start, end in pairwise(ends) if len(text[start:end].split()) >= _FEWEST_WORDS]
    found = [(sentence, identify(text[sentence.start : sentence.end])) for sentence in sentences]
    return [
        Remark(FindingType.UNTRANSLATED, f"this sentence is in {LANGUAGES[guess.language_code].english_name}", sentence)
        for sentence, guess in found
        if guess.language_code not in {language, UNDETERMINED} and guess.confidence >= _SURE
    ]


def in_order(remarks: Iterable[Remark]) -> tuple[Remark, ...]:
    """Each remark once, worst first; of two about the same words only the worse one."""
    ordered = sorted(dict.fromkeys(remarks), key=lambda remark: WORST_FIRST.index(remark.kind))
    told: set[Span] = set()
    kept: list[Remark] = []
    for remark in ordered:
        if remark.span is None or remark.span not in told:
            kept.append(remark)
        if remark.span:
            told.add(remark.span)
    return tuple(kept)
