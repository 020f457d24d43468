"""Scores of summaries: ROUGE, and the shares of those that tell what their article does not.

It knows neither models nor how a summary was made.
"""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import dataclass
from importlib.metadata import version
from statistics import fmean
from typing import TYPE_CHECKING, Any, cast

from rouge_score.rouge_scorer import RougeScorer  # pyright: ignore[reportMissingTypeStubs]
from rouge_score.tokenizers import Tokenizer  # pyright: ignore[reportMissingTypeStubs]

from kunnafoni.checks.faithfulness import UnsupportedFactType, unsupported_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

METRICS = ("rouge1", "rouge2", "rougeL")


class Words(Tokenizer):
    """Runs of letters and digits of the NFC text in lower case; the default one drops every letter with an accent."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).lower())


SIGNATURE = (
    f"rouge-score {version('rouge-score')}, F1, mean over documents, no stemming, tokens [^\\W_]+ of NFC lower case"
)
SCORER = RougeScorer(METRICS, tokenizer=Words())


@dataclass(frozen=True, slots=True)
class Document:
    """An article and what a person made of it."""

    article: str
    summary: str


@dataclass(frozen=True, slots=True)
class Row:
    """What one method reached in one language; shares in percent of the documents."""

    language: str
    method: str
    words: float
    rouge1: float
    rouge2: float
    rougeL: float  # noqa: N815  (its name everywhere)
    number_or_name_percent: float
    any_finding_percent: float


def word_count(text: str) -> int:
    return len(text.split())


def rouge(document: Document, summary: str) -> dict[str, float]:
    scores = cast("dict[str, Any]", SCORER.score(document.summary, summary))  # pyright: ignore[reportUnknownMemberType]
    return {metric: 100 * scores[metric].fmeasure for metric in METRICS}


def measure(language: str, method: str, documents: Sequence[Document], summaries: Sequence[str]) -> Row:
    findings = [
        {
            finding.type
            for finding in unsupported_facts(
                summary, document.article, summary_language=language, article_language=language
            )
        }
        for document, summary in zip(documents, summaries, strict=True)
    ]
    numbers_and_names = {UnsupportedFactType.UNSUPPORTED_NUMBER, UnsupportedFactType.UNSUPPORTED_NAME}
    scores = [rouge(document, summary) for document, summary in zip(documents, summaries, strict=True)]
    return Row(
        language,
        method,
        words=fmean(map(word_count, summaries)),
        rouge1=fmean(score["rouge1"] for score in scores),
        rouge2=fmean(score["rouge2"] for score in scores),
        rougeL=fmean(score["rougeL"] for score in scores),
        number_or_name_percent=100 * fmean(not kinds.isdisjoint(numbers_and_names) for kinds in findings),
        any_finding_percent=100 * fmean(map(bool, findings)),
    )


def rouge_gain(
    documents: Sequence[Document], ours: Sequence[str], theirs: Sequence[str]
) -> tuple[float, tuple[float, float]]:
    """Mean of ROUGE-L of ours less that of theirs, and its 95 % interval by 2,000 paired bootstrap samples."""
    pairs = zip(documents, ours, theirs, strict=True)
    gains = [rouge(document, our)["rougeL"] - rouge(document, their)["rougeL"] for document, our, their in pairs]
    chance = random.Random(1)
    means = sorted(fmean(chance.choices(gains, k=len(gains))) for _ in range(2000))
    return fmean(gains), (means[50], means[-51])
