"""Divides a sentence that is too long for the model, at the best place near its middle, without losing anything.

It does not know tokens: the caller's `fits` does. It does not know languages either: it looks for the conjunctions of
English, French and Bambara together.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from kunnafoni.text.segments import Segment, SegmentKind, core_and_edges
from kunnafoni.text.sentences import is_abbreviation

if TYPE_CHECKING:
    from collections.abc import Callable

_CONJUNCTIONS = (
    "and|but|or|so|because|which|who|while|although|that|when|where|if|as"
    "|et|mais|ou|donc|car|qui|que|dont|où|alors|parce|tandis|lorsque|quand|si|afin|pour"
    "|ani|nka|walima|walasa|sabu|barisa|katuguni|kasɔrɔ|min|minnu|minw|ko|ni|fo|o"
)
_SENTENCE_END = re.compile(
    r"(?<!\.[^\W\d_])[.!?…]+[»”\"')\]]*\s+"
)  # inside a quotation; not after the last point of U.S.
_PLACES = (
    _SENTENCE_END,
    re.compile(r"[;:][»”\"')\]]*\s+|[»”)\]]\s+|\s+(?=[«“(\[]|[–—-]\s)|[–—]\s+"),
    re.compile(r",[»”\"')\]]*\s+"),
    re.compile(rf"\s+(?=(?:{_CONJUNCTIONS})\b)", re.IGNORECASE),
    re.compile(r"(?<!\d)\s+|\s+(?!\d)"),  # not inside 1 234
)
"""Where a sentence may be divided, best first: at the end of the match, so that white space stays on the left."""

_MIDDLE = 0.25
"""A clause end is used only if each side keeps at least this share; else one side would hardly become shorter."""


def subsegments(segment: Segment, fits: Callable[[str], bool]) -> list[Segment]:
    """Divide `segment` until each TEXT piece fits; joined the pieces are its text and offsets continue its own.

    A segment that fits is returned alone. One that does not is halved, and its halves again, so that pieces have
    similar lengths; the white space between them becomes GAP. `fits` reads every code point once per level, that is
    about log2(length / longest piece) times.

    Args:
        segment: A TEXT segment; others are returned alone.
        fits: Whether the model accepts this text. A single character that it does not accept is kept as it is.
    """
    if segment.kind is not SegmentKind.TEXT or fits(segment.text):
        return [segment]
    left, right = split_near_middle(segment.text)
    if not right:
        return [segment]
    pieces: list[Segment] = []
    bounds = ((0, len(left)), (len(left), len(segment.text)))
    for start, end, kind in (piece for bound in bounds for piece in core_and_edges(segment.text, *bound)):
        if start < end:
            piece = Segment(segment.text[start:end], segment.start + start, segment.start + end, kind)
            pieces += subsegments(piece, fits)
    return pieces


def split_near_middle(text: str) -> tuple[str, str]:
    """Split `text` in two near its middle; joined they are `text`, and white space between them is on the left.

    The places, in order of preference: a sentence end, a semicolon, colon, dash, bracket or quotation mark, a comma,
    before a conjunction (each only in the middle half of the text), the space nearest to the middle, between two
    characters.

    Returns:
        The left and the right side; the right one is empty if there is at most one character besides white space.
    """
    first = len(text) - len(text.lstrip())
    last = len(text.rstrip())
    middle = (first + last) / 2
    reach = (last - first) * (0.5 - _MIDDLE)
    for pattern in _PLACES:
        places = [match.end() for match in pattern.finditer(text, first, last) if first < match.end() < last]
        if pattern is _SENTENCE_END:
            places = [place for place in places if not (text[place].islower() or is_abbreviation(text, place))]
        place = min(places, key=lambda place: abs(place - middle), default=None)
        if place is not None and (abs(place - middle) <= reach or pattern is _PLACES[-1]):
            return text[:place], text[place:]
    place = _character_boundary(text, first, last)
    return text[:place], text[place:]


_LONGEST_CHARACTER = 32


def _character_boundary(text: str, first: int, last: int) -> int:
    """The offset nearest to the middle of `first` and `last` that is not inside a character of several code points.

    Such characters follow the main rules of Unicode's extended grapheme clusters (UAX 29): combining marks, joiners,
    skin tones, pairs of regional indicators. If there is no boundary within 32 code points, it is the middle, or the
    length of `text` if `text` is a single character.
    """
    middle = (first + last) // 2
    nearby = range(max(first + 1, middle - _LONGEST_CHARACTER), min(last, middle + _LONGEST_CHARACTER))
    boundaries = (place for place in nearby if not _is_within_character(text[place - 1], text[place]))
    otherwise = middle if last - first > _LONGEST_CHARACTER else len(text)
    return min(boundaries, key=lambda place: abs(place - middle), default=otherwise)


def _is_within_character(before: str, after: str) -> bool:
    flag = _is_flag_letter(before) and _is_flag_letter(after)
    return flag or before == "\u200d" or _extends(after)


def _extends(character: str) -> bool:
    return (
        unicodedata.category(character)[0] == "M" or character == "\u200d" or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
