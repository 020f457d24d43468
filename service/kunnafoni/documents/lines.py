"""Lines of a text file, bounded in memory whatever the file holds. It knows no format.

What cannot be a line becomes a `Problem` with its place, and reading goes on behind it.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

# More than the longest content takes, escaped in the longest way.
MAX_LINE_BYTES = 4 * 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What Windows calls Unicode begins so. Every other letter of it would pass for text.
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Problem:
    """A piece of input that is left out: its place (`archive.jsonl:17`) and what is wrong with it."""

    place: str
    message: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end, and its number from 1."""

    number: int
    text: str


@contextmanager
def open_input(path: Path) -> Generator[BinaryIO]:
    """Open a file for reading; `-` is standard input."""
    if str(path) == "-":
        yield sys.stdin.buffer
    else:
        with path.open("rb", buffering=1024 * 1024) as file:
            yield file


def read_lines(file: BinaryIO, name: str) -> Iterator[Line | Problem]:
    """The lines of `file`, which is UTF-8 with or without a byte order mark; empty ones too."""
    number = 0
    while data := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1 and data.startswith(UTF_16_MARKS):
            yield utf_16_problem(name)
            return
        if len(data) > MAX_LINE_BYTES:
            while data and not data.endswith(b"\n"):
                data = file.readline(MAX_LINE_BYTES)
            yield Problem(f"{name}:{number}", f"is longer than {MAX_LINE_BYTES:,} bytes")
            continue
        try:
            text = (data.removeprefix(BYTE_ORDER_MARK) if number == 1 else data).decode("utf-8")
        except UnicodeDecodeError as error:
            yield Problem(f"{name}:{number}", f"is not UTF-8 (byte {error.start + 1} of the line)")
        else:
            yield Line(number, text.rstrip("\r\n"))


def utf_16_problem(name: str) -> Problem:
    """A whole file in another encoding."""
    return Problem(name, "is UTF-16: save it as UTF-8")
