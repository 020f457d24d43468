"""Cuts a job into chunks, which runners claim: large enough for some batches, small enough to be shared by servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_CHUNK_ITEMS = 64
MAX_CHUNK_CODE_POINTS = 15_000


def cut(sizes: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Cut items into ranges.

    Args:
        sizes: Position and code points of each item, in order of position.

    Yields:
        First and last position of each range. All positions between them were given, so ranges do not span gaps; an
        item that is larger than a chunk makes one of its own.
    """
    first = last = code_points = 0
    begun = False
    for index, size in sizes:
        full = index - first == MAX_CHUNK_ITEMS or code_points + size > MAX_CHUNK_CODE_POINTS
        if begun and (full or index != last + 1):
            yield first, last
            begun = False
        if not begun:
            first, code_points, begun = index, 0, True
        last = index
        code_points += size
    if begun:
        yield first, last
