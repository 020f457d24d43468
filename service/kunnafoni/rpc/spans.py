"""Spans in the unit that a request asks for: code points, as the service counts, or code units of UTF-8 or UTF-16."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kunnafoni.v1 import result_pb2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kunnafoni.text.spans import Span

# How many units a code point has: one, and one more from each of these code points on.
_WIDER_FROM = {
    result_pb2.ENCODING_TYPE_UTF8: (0x80, 0x800, 0x10000),
    result_pb2.ENCODING_TYPE_UTF16: (0x10000,),
}


class SpanConverter:
    """Converts the spans of one text, which may come in pieces.

    Linear in the length of the text, whatever the number of spans.
    """

    def __init__(self, encoding_type: result_pb2.EncodingType.ValueType, text: str = "") -> None:
        """Begin with `text`, and count in the unit of `encoding_type`."""
        self._wider_from = _WIDER_FROM.get(encoding_type, ())
        self._start = self._units_before = 0  # of the last piece
        self._length = 0
        self._offsets: NDArray[np.int64] | None = None
        self.append(text)

    def append(self, piece: str) -> None:
        """Let the text go on with `piece`; spans that are converted from now on lie in that piece."""
        if self._wider_from:
            self._units_before = self._units(self._start + self._length)
            code_points = np.frombuffer(piece.encode("utf-32-le", "surrogatepass"), "<u4")
            widths = 1 + sum(((code_points >= bound).astype(np.int64) for bound in self._wider_from), np.int64(0))
            self._offsets = np.concatenate(([0], np.cumsum(widths)))
        self._start += self._length
        self._length = len(piece)

    def message(self, span: Span) -> result_pb2.Span:
        """A span of the last piece, which counts in code points from the beginning of the text."""
        return result_pb2.Span(start=self._units(span.start), end=self._units(span.end))

    def optional(self, span: Span | None) -> result_pb2.Span | None:
        """As `message`; None for None."""
        return span and self.message(span)

    def _units(self, offset: int) -> int:
        if self._offsets is None:
            return offset
        return self._units_before + int(self._offsets[offset - self._start])
