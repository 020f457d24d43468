"""Finds the errors that forbid to publish a generated summary: those that only models make.

None of the 361 human summaries of OrangeSum dev (its last 250) and GUM has such a finding except UNSUPPORTED, which
half of the French and a quarter of the English ones have: a person may know more than the article, a model may not.

It does not know models, decodings or what replaces such a summary.
"""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import pairwise

from kunnafoni.checks.faithfulness import unsupported_facts
from kunnafoni.checks.mentions.repetition import most_repeated
from kunnafoni.checks.names.forms import folded
from kunnafoni.text.language_id import UNDETERMINED, identify
from kunnafoni.text.sentences import sentence_ends


class BlockingFinding(StrEnum):
    """Why a generated summary must not be published."""

    EMPTY = "EMPTY"
    """It has no letters."""
    PROMPT_COPY = "PROMPT_COPY"
    """It continues the prompt: `Summary in French:`."""
    REPETITION = "REPETITION"
    """It repeats itself."""
    WRONG_LANGUAGE = "WRONG_LANGUAGE"
    """It is in another language than the article."""
    UNSUPPORTED = "UNSUPPORTED"
    """It has a number, date, name or quotation that the article does not have."""


def finished(summary: str, language: str) -> str:
    """Cut `summary` after its last complete sentence: a model that reaches its output cap stops inside one.

    A summary without a complete sentence is returned unchanged.
    """
    ends = [0, *sentence_ends(summary, language)]
    whole = [end for start, end in pairwise(ends) if _SENTENCE_END.search(summary[start:end])]
    return summary[: whole[-1]].rstrip() if whole else summary


_SENTENCE_END = re.compile(r"[.!?…][\"»”’')\]\s]*$")


def blocking_findings(summary: str, article: str, *, language: str) -> list[BlockingFinding]:
    """Find every reason why a generated summary or headline must not be published; an empty list if there is none.

    Args:
        summary: What the model wrote.
        article: Headline and whole body of the article that it read.
        language: The language of both: `en`, `fr` or `bm`.
    """
    if not any(map(str.isalpha, summary)):
        return [BlockingFinding.EMPTY]
    found = {
        BlockingFinding.PROMPT_COPY: any(match[0] not in article for match in _PROMPT.finditer(summary)),
        BlockingFinding.REPETITION: _repeats(summary),
        BlockingFinding.WRONG_LANGUAGE: identify(summary).language_code not in {language, UNDETERMINED},
        BlockingFinding.UNSUPPORTED: bool(
            unsupported_facts(summary, article, summary_language=language, article_language=language)
        ),
    }
    return [finding for finding, is_present in found.items() if is_present]


_PROMPT = re.compile(r"\bsummary in \w+|\b(?:English|French|Bambara) ?:", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_PHRASE_LENGTH = 3
_MAX_TIMES, _MAX_REPEATED_SHARE = 2, 0.1


def _repeats(summary: str) -> bool:
    """Whether something comes three times, or more than a tenth of the three-word phrases repeat an earlier one."""
    repetition = most_repeated(summary)
    words = [folded(word) for word in _WORD.findall(summary)]
    phrases = list(zip(*(words[start:] for start in range(_PHRASE_LENGTH)), strict=False))
    repeated = len(phrases) - len(set(phrases))
    return (repetition is not None and repetition.times > _MAX_TIMES) or repeated > _MAX_REPEATED_SHARE * len(phrases)
