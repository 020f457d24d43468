"""Lines to records: JSONL, tables with a header (CSV, TSV), or a record a line. It knows no meaning of fields."""

from __future__ import annotations

import csv
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from kunnafoni.jobs.lines import MAX_LINE_BYTES, Line, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Record = tuple[int, Mapping[str, object]]


class InputFormat(StrEnum):
    """How a file is read."""

    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"
    LINES = "lines"
    FILE = "file"


class InputError(ValueError):
    """A whole file, `name`, cannot be read as it was asked; `problem` says why, the message both."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem


def read_records(
    lines: Iterable[Line | Problem], input_format: InputFormat, name: str, content_field: str
) -> Iterator[Record | Problem]:
    """The records of a file, each with the number of its last line; problems go where they stand.

    Args:
        lines: As `read_lines` gives them.
        input_format: JSONL, CSV, TSV or LINES.
        name: Of the file, for problems.
        content_field: Field that a line of LINES is, and column that a table must have.

    Raises:
        InputError: a table has no such column.
    """
    if input_format in (InputFormat.CSV, InputFormat.TSV):
        yield from _table(lines, input_format, name, content_field)
        return
    for line in lines:
        if isinstance(line, Problem):
            yield line
        elif not line.text.strip():
            continue
        elif input_format is InputFormat.LINES:
            yield line.number, {content_field: line.text}
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
    lines: Iterable[Line | Problem], input_format: InputFormat, name: str, content_field: str
) -> Iterator[Record | Problem]:
    header: list[str] | None = None
    for entry in _rows(lines, input_format, name):
        if isinstance(entry, Problem):
            yield entry
            continue
        number, row = entry
        if header is None:
            header = row
            if content_field not in header:
                raise InputError(name, f"has no column {content_field!r}, but {', '.join(map(repr, header))}")
        elif len(row) == len(header):
            yield number, dict(zip(header, row, strict=True))
        elif row:
            yield Problem(f"{name}:{number}", f"has {len(row)} columns, the header has {len(header)}")


def _rows(
    lines: Iterable[Line | Problem], input_format: InputFormat, name: str
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
    if input_format is InputFormat.TSV:  # written without quotes: one in a text is just a character
        rows = csv.reader(texts(), delimiter="\t", quoting=csv.QUOTE_NONE)
    else:
        rows = csv.reader(texts(), strict=True)
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
