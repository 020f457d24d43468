"""JSON lines as a source of Ray Data, by the same rules as `jobs submit`: what is no record is a row with a problem.

Ray's own reader ends the whole run at the first malformed line, and rows without an id cannot be resumed. Imported only
where Ray is used: it needs the extra `ray`.
"""

from __future__ import annotations

import io
import json
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from kunnafoni.jobs.lines import Problem, read_lines
from kunnafoni.jobs.ray_rows import PROBLEM_COLUMN
from kunnafoni.jobs.reading import text_of
from kunnafoni.jobs.records import InputFormat, read_records

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_ROWS = 1_000
arrow: Any = import_module("pyarrow")
FileBasedDatasource: Any = import_module("ray.data.datasource").FileBasedDatasource


class JsonLines(FileBasedDatasource):
    """Files of JSON objects, one a line. Every row has an id, a string: its own or else `path:line`."""

    def __init__(self, source: str, *, id_column: str, text_column: str) -> None:
        super().__init__(source)  # pyright: ignore[reportUnknownMemberType] - Ray's types are not known here
        self._columns = (id_column, text_column)

    def _read_stream(self, f: Any, path: str) -> Iterator[Any]:
        """Arrow tables of at most BLOCK_ROWS rows; `f` is the open file, uncompressed."""
        rows = self._rows(io.BufferedReader(f), path)
        while block := list(islice(rows, BLOCK_ROWS)):
            names = dict.fromkeys(name for row in block for name in row)
            yield arrow.table({name: _array([row.get(name) for row in block]) for name in names})

    def _rows(self, file: io.BufferedReader, path: str) -> Iterator[dict[str, Any]]:
        id_column, text_column = self._columns
        for entry in read_records(read_lines(file, path), InputFormat.JSONL, path, text_column):
            if isinstance(entry, Problem):
                problem = f"{entry.place} {entry.message}"
                yield {id_column: entry.place, text_column: "", PROBLEM_COLUMN: problem}
                continue
            number, record = entry
            row_id, text = text_of(record.get(id_column)), text_of(record.get(text_column))
            problem = "" if text is not None and row_id is not None else "has a field that is no text"
            own = {id_column: row_id or f"{path}:{number}", text_column: text or ""}
            yield {**record, **own, PROBLEM_COLUMN: problem and f"{path}:{number} {problem}"}


def _array(values: list[Any]) -> Any:
    """A column; one in which lines disagree about the type becomes text."""
    try:
        return arrow.array(values)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError):
        return arrow.array([None if value is None else _as_text(value) for value in values])


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
