"""Divide a sentence that is too long for the model, at the best place near its middle; nothing is lost or truncated.

It does not know tokens: the caller's `fits` does. It does not know languages either: the conjunctions of English,
French and Bambara are looked for together.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from kunnafoni.text.segments import Segment, SegmentKind, carve
from kunnafoni.text.sentences import is_abbreviation

if TYPE_CHECKING:
    from collections.abc import Callable

_CONJUNCTIONS = (
    "and|but|or|so|because|which|who|while|although|that|when|where|if|as"
    "|et|mais|ou|donc|car|qui|que|dont|où|alors|parce|tandis|lorsque|quand|si|afin|pour"
    "|ani|nka|walima|walasa|sabu|barisa|katuguni|kasɔrɔ|min|minnu|minw|ko|ni|fo|o"
)
_SENTENCE_END = re.compile(r"(?<!\.[^\W\d_])[.!?…]+[»”\"')\]]*\s+")  # inside a quotation; not the last point of U.S.
_PLACES = (
    _SENTENCE_END,
    re.compile(r"[;:][»”\"')\]]*\s+|[»”)\]]\s+|\s+(?=[«“(\[]|[–—-]\s)|[–—]\s+"),
    re.compile(r",[»”\"')\]]*\s+"),
    re.compile(rf"\s+(?=(?:{_CONJUNCTIONS})\b)", re.IGNORECASE),
    re.compile(r"(?<!\d)\s+|\s+(?!\d)"),  # not inside 1 234
)
"""Where a sentence may be cut, best first; the cut is at the end of the match, so white space stays on the left."""

_MIDDLE = 0.25
"""A clause end is taken if it leaves each side at least this share, else the halves would not both become shorter."""


def cut(segment: Segment, fits: Callable[[str], bool]) -> list[Segment]:
    """Divide `segment` until each TEXT piece fits; joined the pieces are its text and offsets continue its own.

    A segment that fits comes back alone. One that does not is halved, and its halves again, so that pieces are of
    similar length; the white space between them becomes GAP. `fits` sees every code point once a level, that is
    about log2(length / longest piece) times.

    Args:
        segment: A TEXT segment; others come back alone.
        fits: Whether the model takes this text. A single character that it does not take is kept as it is.
    """
    if segment.kind is not SegmentKind.TEXT or fits(segment.text):
        return [segment]
    left, right = halve(segment.text)
    if not right:
        return [segment]
    pieces: list[Segment] = []
    bounds = ((0, len(left)), (len(left), len(segment.text)))
    for start, end, kind in (piece for bound in bounds for piece in carve(segment.text, *bound)):
        if start < end:
            piece = Segment(segment.text[start:end], segment.start + start, segment.start + end, kind)
            pieces += cut(piece, fits)
    return pieces


def halve(text: str) -> tuple[str, str]:
    """Cut `text` in two near its middle; joined they are `text`, and the white space at the cut is on the left.

    In order of preference: a sentence end, a semicolon, colon, dash, bracket or quotation mark, a comma, before a
    conjunction (each only in the middle half of the text), the space nearest to the middle, between two characters.

    Returns:
        Both sides; the right one is empty if there is no more than one character besides white space.
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
    skin tones, pairs of regional indicators. Without a boundary within 32 code points it is the middle itself, or the
    length of `text` if that is a single character.
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
