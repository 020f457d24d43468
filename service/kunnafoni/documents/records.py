"""Lines to records: JSONL, tables with a header (CSV, TSV), or one record per line. It does not know what fields mean.

Case does not matter in the names of columns. Cells of CSV are separated as in its header: by commas, by semicolons, as
Excel does where the comma is the decimal sign, or by tabs.
"""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from kunnafoni.documents.lines import MAX_LINE_BYTES, Line, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Record = tuple[int, Mapping[str, object]]


class InputFormat(StrEnum):
    """How a file is read."""

    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    LINES = "lines"
    FILE = "file"


class InputError(ValueError):
    """A whole file, `name`, cannot be read as asked; `problem` says why, and the message says both."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem


def read_records(
    lines: Iterable[Line | Problem], input_format: InputFormat, name: str, names: Sequence[str]
) -> Iterator[Record | Problem]:
    """The records of a file, each with the number of its last line, and problems in their place.

    Args:
        lines: As `read_lines` gives them.
        input_format: JSONL, CSV, TSV or LINES.
        name: Of the file, for problems.
        names: Of the fields or columns that matter. The first is the field that a line of LINES is, and the column
            that a table must have.

    Raises:
        InputError: a table has no such column.
    """
    if input_format in (InputFormat.CSV, InputFormat.TSV):
        yield from _table(lines, input_format, name, names)
        return
    for line in lines:
        if isinstance(line, Problem):
            yield line
        elif not line.text.strip():
            continue
        elif input_format is InputFormat.LINES:
            yield line.number, {names[0]: line.text}
        else:
            yield _json_record(line, name)


def _json_record(line: Line, name: str) -> Record | Problem:
    try:
        value: object = json.loads(line.text)
    except (ValueError, RecursionError) as error:
        where = f" (character {error.pos + 1})" if isinstance(error, json.JSONDecodeError) else ""
        return Problem(f"{name}:{line.number}", f"is not JSON{where}")
    if not isinstance(value, dict):
        return Problem(f"{name}:{line.number}", "is not a JSON object")
    return line.number, cast("dict[str, Any]", value)


def _table(
    lines: Iterable[Line | Problem], input_format: InputFormat, name: str, names: Sequence[str]
) -> Iterator[Record | Problem]:
    header: list[str] | None = None
    for entry in _rows(lines, input_format, name, names):
        if isinstance(entry, Problem):
            yield entry
            continue
        number, row = entry
        if header is None:
            header = _named(row, names)
            if names[0] not in header:
                raise InputError(name, f"has no column {names[0]!r}, but {', '.join(map(repr, header))}")
        elif len(row) == len(header):
            yield number, dict(zip(header, row, strict=True))
        elif row:
            yield Problem(f"{name}:{number}", f"has {len(row)} columns, the header has {len(header)}")


def _named(header: Sequence[str], names: Sequence[str]) -> list[str]:
    """`header` with a name of `names` in place of a cell that differs from it in case or in spaces around it."""
    wanted = {name.casefold(): name for name in names if name not in header}
    return [wanted.get(cell.strip().casefold(), cell) for cell in header]


def _delimiter(header: str, names: Sequence[str]) -> str:
    """What separates cells below such a first line: that by which the column that must be there is found in it."""
    possible = [delimiter for delimiter in ",;\t" if delimiter in header] or [","]
    for delimiter in possible:
        with suppress(csv.Error):  # which is reported when the line is read as a row
            if names[0] in _named(next(csv.reader([header], delimiter=delimiter)), names):
                return delimiter
    return possible[0]


def _peeked(lines: Iterable[Line | Problem]) -> tuple[str, Iterator[Line | Problem]]:
    """The text of the first line, empty if there is none, and all of `lines`."""
    rest = iter(lines)
    begun: list[Line | Problem] = []
    for line in rest:
        begun.append(line)
        if isinstance(line, Line):
            return line.text, chain(begun, rest)
    return "", iter(begun)


def _rows(
    lines: Iterable[Line | Problem], input_format: InputFormat, name: str, names: Sequence[str]
) -> Iterator[tuple[int, list[str]] | Problem]:
    problems: list[Problem] = []
    first = last = 0  # lines of the row that is being read; a quoted cell may have several
    broken = False

    def texts() -> Iterator[str]:
        nonlocal first, last, broken
        for line in lines:
            if isinstance(line, Problem):
                problems.append(line)
                broken = broken or first > 0
            else:
                last = line.number
                first = first or last
                yield line.text + "\n"

    csv.field_size_limit(MAX_LINE_BYTES)
    header, lines = _peeked(lines)
    if input_format is InputFormat.TSV:  # written without quotes: one in a text is just a character
        rows = csv.reader(texts(), delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        rows = csv.reader(texts(), delimiter=_delimiter(header, names), strict=True)
    while True:
        first, broken = 0, False
        wrong = ""
        row: list[str] | None = []
        try:
            row = next(rows, None)
        except csv.Error as error:
            wrong = f"is no row of a table: {error}"
        yield from problems
        problems.clear()
        if row is None:
            return
        if broken:
            wrong = wrong or "is a row with a line that cannot be read"
        place = f"{name}:{last}" if first == last else f"{name}:{first}-{last}"
        yield Problem(place, wrong) if wrong else (last, row)
