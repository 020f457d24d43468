"""Finds repetitions, as models produce them when they fail. It does not know languages or intended repetitions."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Repetition:
    """Words or letters that a text has more than once.

    Attributes:
        times: Number of occurrences.
        span: From the beginning of the second occurrence to the end of the last.
        in_a_row: Whether nothing stands between them; otherwise it may be an enumeration.
        words: Number of words that are repeated; 0 for letters.
    """

    times: int
    span: Span
    in_a_row: bool = True
    words: int = 0


_WORD = re.compile(r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\w)|\w+")  # 5 000 000 is one word
_LONGEST_LOOP = 8
_PHRASE_LENGTH = 3
_STUTTER = re.compile(r"(\S{1,4}?)\1{9,}")


def most_repeated(text: str) -> Repetition | None:
    """The words or letters that `text` repeats most often; None if it repeats none.

    It finds loops of up to 8 words (`ka taa ka taa ka taa`), phrases of 3 words anywhere, and up to 4 letters ten times
    or more in a row. Time is linear in the length of `text`.
    """
    return max(_repetitions(text), key=lambda repetition: repetition.times, default=None)


def _repetitions(text: str) -> Iterator[Repetition]:
    found = list(_WORD.finditer(text))
    words = [word[0].lower() for word in found]
    for length in range(1, _LONGEST_LOOP + 1):
        same = 0
        for place in range(length, len(words)):
            same = same + 1 if words[place] == words[place - length] else 0
            if same >= length:
                start = place - same + 1
                yield Repetition(same // length + 1, Span(found[start].start(), found[place].end()), words=length)
    phrases: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for place in range(len(words) - _PHRASE_LENGTH + 1):
        phrases[tuple(words[place : place + _PHRASE_LENGTH])].append(place)
    for places in phrases.values():
        if len(places) > 1:
            end = places[-1] + _PHRASE_LENGTH - 1
            span = Span(found[places[1]].start(), found[end].end())
            yield Repetition(len(places), span, in_a_row=False, words=_PHRASE_LENGTH)
    for stutter in _STUTTER.finditer(text):
        unit = len(stutter[1])
        yield Repetition(len(stutter[0]) // unit, Span(stutter.start() + unit, stutter.end()))
