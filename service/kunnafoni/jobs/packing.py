"""Bytes as they are stored: long ones are compressed, and the first byte says whether. It knows no messages."""

from __future__ import annotations

import zlib

# Below this, compression costs time and saves little.
MIN_COMPRESSED_BYTES = 512
PLAIN, COMPRESSED = b"\0", b"\1"


def pack(body: bytes) -> bytes:
    """Make `body` ready to be stored."""
    if len(body) < MIN_COMPRESSED_BYTES:
        return PLAIN + body
    return COMPRESSED + zlib.compress(body, level=1)


def unpack(stored: bytes) -> bytes:
    """Give back what `pack` was given."""
    return zlib.decompress(stored[1:]) if stored[:1] == COMPRESSED else stored[1:]
