"""A part of a text, as offsets in code points."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From code point `start` up to, but not including, code point `end`."""

    start: int
    end: int

    def shifted(self, offset: int) -> Span:
        """The same part of a text that has `offset` more code points before it."""
        return Span(self.start + offset, self.end + offset)
