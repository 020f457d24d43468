"""Splits a content into segments: sentences for the model, and everything else, which is copied as it is.

`"".join(segment.text for segment in split(content, language)) == content` for every string.

Line breaks: a blank line, a list item, a heading or a quoted line (`>`) begins a new paragraph. Any other line break
also ends a segment, as headlines and captions stand on lines of their own, unless the paragraph is hard-wrapped: a
line of 40 code points or more is followed by one that begins in lower case. The lines of such a paragraph are joined
where the next begins in lower case or with a word that would not have fitted the longest line, so that a TEXT segment
may contain line breaks; `orthography.normalise_input` replaces them by spaces for the model. Tabs inside a line
separate the cells of a table, each of which is a segment of its own. So do bars, if the line begins with one or they
have spaces around them.

It does not know models, tokens or glossaries. `sentences` knows where a sentence ends; `subsegments` divides sentences
that are too long for a model.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from kunnafoni.text.masking import addresses_in, with_words_hidden
from kunnafoni.text.sentences import sentence_ends

if TYPE_CHECKING:
    from collections.abc import Iterator


class SegmentKind(StrEnum):
    """Whether a segment is translated or copied."""

    TEXT = "text"
    """A sentence, or a part of one between copied parts: translated."""
    COPIED = "copied"
    """A URL, an e-mail address, code, or a digit, emoji or currency sign without letters: copied and reported."""
    GAP = "gap"
    """White space, bullets, list numbers, heading marks, punctuation alone: copied and not reported."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a content; segments follow each other without gap or overlap.

    Attributes:
        text: The text of the segment, never empty. TEXT neither begins nor ends with white space or control characters.
        start: Offset of its first code point in the content.
        end: Offset after its last code point.
        kind: Whether it is translated or copied.
    """

    text: str
    start: int
    end: int
    kind: SegmentKind


_Range = tuple[int, int, SegmentKind]


def split(text: str, language: str) -> list[Segment]:
    """Split `text` into segments in order; joined they are `text`. Two GAP segments never follow each other.

    Args:
        text: Any string, of any length; time is linear in it.
        language: `en`, `fr` or `bm`; Bambara is punctuated like French. Any other code is read as French.
    """
    merged: list[_Range] = []
    for start, end, kind in _ranges(text, language):
        if kind is SegmentKind.GAP and merged and merged[-1][2] is kind:
            merged[-1] = (merged[-1][0], end, kind)
        elif start < end:
            merged.append((start, end, kind))
    return [Segment(text[start:end], start, end, kind) for start, end, kind in merged]


def sentences_in(text: str, language: str) -> list[Segment]:
    """The whole sentences of `text` in order, with the addresses and code in them, which `split` keeps apart.

    Args:
        text: Any string, of any length; time is linear in it.
        language: As for `split`.

    Returns:
        TEXT segments. Between them `text` has gaps, and lines that are copied.
    """
    found: list[Segment] = []
    for start, end, kind in _blocks(text):
        for pieces in _sentences(text, start, end, language) if kind is SegmentKind.TEXT else ():
            if any(piece_kind is SegmentKind.TEXT for _, _, piece_kind in pieces):
                _, (left, right, _), _ = core_and_edges(text, pieces[0][0], pieces[-1][1])
                found.append(Segment(text[left:right], left, right, SegmentKind.TEXT))
    return found


def _ranges(text: str, language: str) -> Iterator[_Range]:
    for start, end, kind in _blocks(text):
        if kind is SegmentKind.TEXT:
            for pieces in _sentences(text, start, end, language):
                yield from pieces
        else:
            yield start, end, kind


def core_and_edges(text: str, start: int, end: int) -> Iterator[_Range]:
    """Yield three ranges from `start` to `end`: the left edge, the core, and the right edge.

    The edges are white space and control characters (GAP). The core is TEXT if it has a letter, COPIED if it has a
    digit, emoji or currency sign, else GAP. Ranges may be empty.
    """
    core = text[start:end]
    left = start + len(core) - len(core.lstrip(_EDGES))
    right = max(left, end - len(core) + len(core.rstrip(_EDGES)))
    core = text[left:right]
    kind = SegmentKind.GAP
    if any(map(str.isalpha, core)):
        kind = SegmentKind.TEXT
    elif any(unicodedata.category(character) in _COPIED_CATEGORIES for character in core):
        kind = SegmentKind.COPIED
    yield start, left, SegmentKind.GAP
    yield left, right, kind
    yield right, end, SegmentKind.GAP


_SPACES = "".join(c for c in map(chr, range(0x3001)) if c.isspace())
_CONTROLS = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
_EDGES = (
    _SPACES + _CONTROLS + "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
_COPIED_CATEGORIES = frozenset({"Nd", "Nl", "No", "So", "Sc"})

_BREAKS = r"\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_LINE = re.compile(rf"\s*[{_BREAKS}]|[^{_BREAKS}]+(?:\r\n|[{_BREAKS}])?")
"""A run of blank lines, or one line with its line break, as in `str.splitlines`."""
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_MARKER = re.compile(
    r"[ \t]*(?:[•◦▪‣⁃■●○►][ \t\u00a0]*|(?:[-–—*+·]|\#{1,6}|>+|\(?\d{1,3}[.)]|\(?[A-Za-z]\))[ \t\u00a0]+)+(?=\S)"
)
_TABS = re.compile(r"(?<=\S) *\t[ \t]*(?=\S)")
_BAR, _BAR_APART = re.compile(r"\|[ \t]*"), re.compile(r"(?<=\s)\|(?=\s)[ \t]*")
_WRAPPED_LINE_LENGTH = 40


def _blocks(text: str) -> Iterator[_Range]:
    """Cover `text` with blank lines, markers, tabs, bars (GAP), fenced code (COPIED) and runs of sentences (TEXT)."""
    lines = [0, *(line.end() for line in _LINE.finditer(text))]
    code = dict(_fenced(text, lines))
    paragraph: list[tuple[int, int]] = []
    code_end = 0
    for start, end in pairwise(lines):
        if start < code_end:
            continue
        code_end = code.get(start, start)
        marker = _MARKER.match(text, start, end)
        content = marker.end() if marker else start
        tabs = list(_cell_ends(text, content, end))
        blank = not text[start:end].strip(_EDGES)
        if blank or marker or tabs or code_end > start:
            yield from _unwrapped(text, paragraph)
            paragraph = []
        if code_end > start:
            yield start, code_end, SegmentKind.COPIED
        elif blank:
            yield start, end, SegmentKind.GAP
        else:
            if marker:
                yield start, content, SegmentKind.GAP
            for tab in tabs:
                yield content, tab.start(), SegmentKind.TEXT
                yield *tab.span(), SegmentKind.GAP
                content = tab.end()
            paragraph.append((content, end))
    yield from _unwrapped(text, paragraph)


def _cell_ends(text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """Yield the separators between the cells of a row; a bar in code separates nothing."""
    yield from (row := list(_TABS.finditer(text, start, end)))
    if not row and text[start:end].lstrip().startswith("|"):
        yield from _BAR.finditer(text, start, end)
    elif not row and "`" not in text[start:end]:
        yield from _BAR_APART.finditer(text, start, end)


def _fenced(text: str, lines: list[int]) -> Iterator[tuple[int, int]]:
    """Yield start and end of each fenced code block; a fence that is never closed opens none."""
    opening: tuple[int, str] | None = None
    for start, end in pairwise(lines):
        fence = _FENCE.match(text, start, end)
        if fence is None:
            continue
        if opening is None:
            opening = start, fence[1]
        elif fence[1].startswith(opening[1]) and not fence[2].strip():
            yield opening[0], end
            opening = None


def _unwrapped(text: str, lines: list[tuple[int, int]]) -> Iterator[_Range]:
    """Yield the lines of one paragraph, joined where a line break is only a wrap."""
    contents = [text[start:end].strip() for start, end in lines]
    longest = max(map(len, contents), default=0)
    breaks = [_is_wrap(*pair, longest) for pair in pairwise(contents)]
    wrapped = any(following[:1].islower() for wrap, following in zip(breaks, contents[1:], strict=True) if wrap)
    block_start = lines[0][0] if lines else 0
    for (_, end), wrap in zip(lines, (*breaks, False), strict=False):
        if not (wrapped and wrap):
            yield block_start, end, SegmentKind.TEXT
            block_start = end


def _is_wrap(line: str, following: str, longest: int) -> bool:
    """Whether the break may be a wrap: the next line begins in lower case, or its first word would not have fitted."""
    no_room = len(line) + 1 + len(following.split(maxsplit=1)[0]) > longest
    return len(line) >= _WRAPPED_LINE_LENGTH and (following[:1].islower() or no_room)


def _sentences(text: str, start: int, end: int, language: str) -> Iterator[list[_Range]]:
    """Split one block, in which line breaks have no meaning, into sentences, each a list of its pieces."""
    block = text[start:end]
    ahead = deque((start + left, start + right) for left, right in addresses_in(block))
    done = start
    for offset in sentence_ends(with_words_hidden(block), language):
        end_of_sentence = max(done, start + offset)
        copied: deque[tuple[int, int]] = deque()
        while ahead and ahead[0][0] < end_of_sentence:
            copied.append(ahead.popleft())
        end_of_sentence = max(end_of_sentence, copied[-1][1] if copied else 0)
        yield list(_pieces(text, done, end_of_sentence, copied))
        done = end_of_sentence


def _pieces(text: str, start: int, end: int, copied: deque[tuple[int, int]]) -> Iterator[_Range]:
    """Separate the addresses and code at the beginning and end of a sentence; those inside stay in it."""
    while copied and not text[start : copied[0][0]].strip(_EDGES):
        piece = copied.popleft()
        yield start, piece[0], SegmentKind.GAP
        yield *piece, SegmentKind.COPIED
        start = piece[1]
    ends = end
    last: deque[tuple[int, int]] = deque()
    while copied and not any(map(str.isalnum, text[copied[-1][1] : ends])):
        last.appendleft(copied.pop())
        ends = last[0][0]
    yield from core_and_edges(text, start, ends)
    for index, piece in enumerate(last, 1):
        yield *piece, SegmentKind.COPIED
        yield from core_and_edges(text, piece[1], last[index][0] if index < len(last) else end)
