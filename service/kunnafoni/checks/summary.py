"""Tells whether a generated summary must not go out: what only a model does, and an editor would never print.

None of the 361 human summaries of OrangeSum dev (its last 250) and GUM fails but for UNSUPPORTED, which half of the
French ones and a quarter of the English ones do: a person may know more than the article, a model may not.

It does not know models, decodings or what replaces a summary that fails.
"""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import pairwise

from kunnafoni.checks.faithfulness import unsupported
from kunnafoni.checks.mentions.repetition import most_repeated
from kunnafoni.checks.names.forms import folded
from kunnafoni.text.language_id import UNDETERMINED, identify
from kunnafoni.text.sentences import sentence_ends


class Failure(StrEnum):
    """Why a generated summary must not go out."""

    EMPTY = "EMPTY"
    """No word in it."""
    PROMPT_COPY = "PROMPT_COPY"
    """It goes on with the prompt: `Summary in French:`."""
    REPETITION = "REPETITION"
    """It goes round in circles."""
    WRONG_LANGUAGE = "WRONG_LANGUAGE"
    """It is in another language than the article."""
    UNSUPPORTED = "UNSUPPORTED"
    """It has a number, date, name or quotation that the article has not."""


def finished(summary: str, language: str) -> str:
    """`summary` up to its last whole sentence: a model that reached its cap stops in the middle of one.

    If no sentence is whole it comes back as it is.
    """
    ends = [0, *sentence_ends(summary, language)]
    whole = [end for start, end in pairwise(ends) if _SENTENCE_END.search(summary[start:end])]
    return summary[: whole[-1]].rstrip() if whole else summary


_SENTENCE_END = re.compile(r"[.!?…][\"»”’')\]\s]*$")


def failures(summary: str, article: str, *, language: str) -> list[Failure]:
    """Find every reason why a generated summary or headline must not go out; an empty list if there is none.

    Args:
        summary: What the model made.
        article: Headline and body of what it read, whole.
        language: `en`, `fr` or `bm`, of both.
    """
    if not any(map(str.isalpha, summary)):
        return [Failure.EMPTY]
    found = {
        Failure.PROMPT_COPY: any(match[0] not in article for match in _PROMPT.finditer(summary)),
        Failure.REPETITION: _repeats(summary),
        Failure.WRONG_LANGUAGE: identify(summary).language_code not in {language, UNDETERMINED},
        Failure.UNSUPPORTED: bool(unsupported(summary, article, summary_language=language, article_language=language)),
    }
    return [failure for failure, there in found.items() if there]


_PROMPT = re.compile(r"\bsummary in \w+|\b(?:English|French|Bambara) ?:", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_PHRASE_LENGTH = 3
_MOST_TIMES, _MOST_SAID_TWICE = 2, 0.1


def _repeats(summary: str) -> bool:
    """Whether something comes three times, or of the phrases of three words more than a tenth came before."""
    repetition = most_repeated(summary)
    words = [folded(word) for word in _WORD.findall(summary)]
    phrases = list(zip(*(words[start:] for start in range(_PHRASE_LENGTH)), strict=False))
    said_twice = len(phrases) - len(set(phrases))
    return (repetition is not None and repetition.times > _MOST_TIMES) or said_twice > _MOST_SAID_TWICE * len(phrases)
