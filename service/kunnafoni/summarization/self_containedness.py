"""Tells how well each line of an article stands alone: whether it is a sentence of the story that needs no other.

It knows lengths, marks and a few openings in English, French and Bambara. It does not know grammar or what a sentence
says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEWEST_WORDS, _FEW_WORDS, _MANY_WORDS = 5, 8, 55
_SENTENCE_END = re.compile(r"[.!?…][\"»”’')\]\s]*$")
_NO_STORY = re.compile(
    r"""
    \W*(?:(?:à\ )?(?:lire|voir|écouter)\ aussi|(?:read|see|watch)\ also|read\ more|publié\ le|published\ (?:on|by)
    |abonnez-vous|subscribe|copyright)\b
    |\W*(?:à\ lire|related|photos?|images?|vid[ée]os?|cr[ée]dits?)\s*[:/|]
    |\s*©
    |[^.!?,]{2,50},\s*(?:le\s+)?\d{1,2}(?:er|st|nd|rd|th)?\s+[^\W\d_]+(?:\s+\d{4})?  # a dateline
        \s*(?:\([^)]*\)\s*)?[.:–—-]*\s*$
    |.*:\s*$  # what leads to a list
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LEANS_ON_ANOTHER = re.compile(
    r"\W*(?:ils?|elles?|ce|cet|cette|ces|cela|ceux|he|she|it|they|this|that|these|those|u|o|olu|nin)\b", re.IGNORECASE
)


def stand_alone(sentences: Sequence[str]) -> list[float]:
    """Weigh each line, from 0 (no letters) to 1 (a whole sentence of ordinary length); one weight a line, in order.

    Lighter are what is very short or long, what does not end like a sentence (headings, bylines), questions, pointers,
    credits, datelines, what leads to a list, what opens with a pronoun, and pieces of a quotation that was cut between
    its sentences.
    """
    weights = [_form(sentence) for sentence in sentences]
    for place in _pieces_of_quotations(sentences):
        weights[place] *= 0.4
    return weights


def _form(sentence: str) -> float:
    """The weight of a line by itself."""
    if not any(map(str.isalpha, sentence)):
        return 0.0
    words = len(sentence.split())
    weight = 1.0
    if words < _FEW_WORDS:
        weight *= 0.5 if words >= _FEWEST_WORDS else 0.1
    elif words > _MANY_WORDS:
        weight *= 0.6
    if not _SENTENCE_END.search(sentence):
        weight *= 0.3
    elif sentence.rstrip().endswith("?"):
        weight *= 0.4
    if _NO_STORY.match(sentence):
        weight *= 0.05
    elif _LEANS_ON_ANOTHER.match(sentence):
        weight *= 0.7
    return weight


_MOST_QUOTED = 5  # sentences; a mark that opens nothing must not turn the rest of the article into a quotation


def _pieces_of_quotations(sentences: Sequence[str]) -> list[int]:
    """Places of sentences that a quotation of several sentences is cut into: alone they lack a mark, or both."""
    pieces: list[int] = []
    opened = -_MOST_QUOTED
    for place in (place for place, sentence in enumerate(sentences) if _is_half_quoted(sentence)):
        closes = place - opened < _MOST_QUOTED
        pieces += range(opened + 1, place + 1) if closes else (place,)
        opened = -_MOST_QUOTED if closes else place
    return pieces


def _is_half_quoted(sentence: str) -> bool:
    return sentence.count('"') % 2 > 0 or any(sentence.count(a) != sentence.count(b) for a, b in ("«»", "“”"))
