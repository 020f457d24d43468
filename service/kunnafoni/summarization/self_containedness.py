"""Rates how self-contained each line of an article is: whether it is a sentence of the story that can stand alone.

It looks at length, punctuation and a few first words in English, French and Bambara. It does not know grammar or
meaning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_VERY_FEW_WORDS, _FEW_WORDS, _MANY_WORDS = 5, 8, 55
_SENTENCE_END = re.compile(r"[.!?…][\"»”’')\]\s]*$")
_NOT_STORY = re.compile(
    r"""
    \W*(?:(?:à\ )?(?:lire|voir|écouter)\ aussi|(?:read|see|watch)\ also|read\ more|publié\ le|published\ (?:on|by)
    |abonnez-vous|subscribe|copyright)\b
    |\W*(?:à\ lire|related|photos?|images?|vid[ée]os?|cr[ée]dits?)\s*[:/|]
    |\s*©
    |[^.!?,]{2,50},\s*(?:le\s+)?\d{1,2}(?:er|st|nd|rd|th)?\s+[^\W\d_]+(?:\s+\d{4})?  # a dateline
        \s*(?:\([^)]*\)\s*)?[.:–—-]*\s*$
    |.*:\s*$  # a line that introduces a list
    """,
    re.IGNORECASE | re.VERBOSE,
)
_OPENS_WITH_PRONOUN = re.compile(
    r"\W*(?:ils?|elles?|ce|cet|cette|ces|cela|ceux|he|she|it|they|this|that|these|those|u|o|olu|nin)\b", re.IGNORECASE
)


def self_containedness(sentences: Sequence[str]) -> list[float]:
    """Weigh each line from 0 (no letters) to 1 (a whole sentence of ordinary length); one weight per line, in order.

    The weight is lower for very short and very long lines, lines that do not end like a sentence (headings, bylines),
    questions, links to other articles, credits, datelines, introductions of lists, sentences that open with a pronoun,
    and parts of a quotation that was divided between its sentences.
    """
    weights = [_weight(sentence) for sentence in sentences]
    for place in _parts_of_quotations(sentences):
        weights[place] *= 0.4
    return weights


def _weight(sentence: str) -> float:
    """The weight of a line without regard to the others."""
    if not any(map(str.isalpha, sentence)):
        return 0.0
    words = len(sentence.split())
    weight = 1.0
    if words < _FEW_WORDS:
        weight *= 0.5 if words >= _VERY_FEW_WORDS else 0.1
    elif words > _MANY_WORDS:
        weight *= 0.6
    if not _SENTENCE_END.search(sentence):
        weight *= 0.3
    elif sentence.rstrip().endswith("?"):
        weight *= 0.4
    if _NOT_STORY.match(sentence):
        weight *= 0.05
    elif _OPENS_WITH_PRONOUN.match(sentence):
        weight *= 0.7
    return weight


_MAX_QUOTED = 5  # sentences; a stray quotation mark must not turn the rest of the article into a quotation


def _parts_of_quotations(sentences: Sequence[str]) -> list[int]:
    """Indices of the sentences of a quotation of several sentences: each alone lacks one quotation mark or both."""
    parts: list[int] = []
    opened = -_MAX_QUOTED
    for place in (place for place, sentence in enumerate(sentences) if _is_half_quoted(sentence)):
        closes = place - opened < _MAX_QUOTED
        parts += range(opened + 1, place + 1) if closes else (place,)
        opened = -_MAX_QUOTED if closes else place
    return parts


def _is_half_quoted(sentence: str) -> bool:
    return sentence.count('"') % 2 > 0 or any(sentence.count(a) != sentence.count(b) for a, b in ("«»", "“”"))
