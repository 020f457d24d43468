"""A cache of recent outputs, bounded in bytes. It knows no models and no requests."""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kunnafoni_models.backend import Decoding, Output, Prompt

# What CPython 3.11 needs per entry besides the text: key, value, node and share of the table, measured with
# tracemalloc.
ENTRY_BYTES = 330


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStats:
    """A snapshot: hits and misses since the start, current entries and bytes."""

    hits: int
    misses: int
    entries: int
    size_bytes: int


class OutputCache:
    """The most recently used outputs of one model, at most `max_bytes`; 0 caches nothing."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._outputs: OrderedDict[bytes, Output] = OrderedDict()
        self._size_bytes = 0
        self._hits = 0
        self._misses = 0

    @staticmethod
    def key(prompt: Prompt, decoding: Decoding) -> bytes:
        """A digest of 16 bytes of everything that the output depends on.

        It hashes the representations because they have all fields, also those that the types may get later.
        """
        return blake2b(f"{prompt!r} {decoding!r}".encode(), digest_size=16).digest()

    def get(self, key: bytes) -> Output | None:
        """The cached output, or None."""
        output = self._outputs.get(key)
        if output is None:
            self._misses += 1
            return None
        self._hits += 1
        self._outputs.move_to_end(key)
        return output

    def put(self, key: bytes, output: Output) -> None:
        """Cache an output and evict the least recently used ones; an output above the bound by itself is not cached."""
        if key in self._outputs or _size_bytes(output) > self._max_bytes:
            return
        self._outputs[key] = output
        self._size_bytes += _size_bytes(output)
        while self._size_bytes > self._max_bytes:
            _, oldest = self._outputs.popitem(last=False)
            self._size_bytes -= _size_bytes(oldest)

    def stats(self) -> CacheStats:
        """Take a snapshot."""
        return CacheStats(hits=self._hits, misses=self._misses, entries=len(self._outputs), size_bytes=self._size_bytes)


def _size_bytes(output: Output) -> int:
    return ENTRY_BYTES + sys.getsizeof(output.text)
