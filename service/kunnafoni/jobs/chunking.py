"""Cuts a job into chunks: what a runner claims at once. Enough for some batches, little enough to be shared out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_CHUNK_ITEMS = 64
MAX_CHUNK_CODE_POINTS = 15_000


def cut(sizes: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Cut items into ranges.

    Args:
        sizes: Place and code points of each item, places rising.

    Yields:
        First and last place of each range. All places between them were given, so ranges do not span gaps; an item
        that is larger than a chunk makes one of its own.
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
