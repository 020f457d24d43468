"""JSON lines as a source of Ray Data, by the rules of `jobs submit`: what is no record becomes a row with a problem.

Ray's own reader ends the whole run at the first malformed line, and rows without an id cannot be resumed. Imported only
where Ray is used: it needs the extra `ray`.
"""

from __future__ import annotations

import io
import json
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from kunnafoni.documents.lines import Problem, read_lines
from kunnafoni.documents.reading import text_of
from kunnafoni.documents.records import InputFormat, read_records
from kunnafoni.jobs.cluster.rows import PROBLEM_COLUMN, RECORD_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BLOCK_ROWS = 1_000
arrow: Any = import_module("pyarrow")
FileBasedDatasource: Any = import_module("ray.data.datasource").FileBasedDatasource


class JsonLines(FileBasedDatasource):
    """Files of JSON objects, one per line.

    A row has an id (its own as text, or else `path:line`), its text, a problem (empty if there is none), and in
    RECORD_COLUMN the whole object as JSON: a field may have values of different types in different lines.
    """

    def __init__(self, source: str, *, id_column: str, text_column: str, taken: tuple[str, ...]) -> None:
        """Find the files.

        Args:
            source: File or folder.
            id_column: Field of the ids.
            text_column: Field of the texts.
            taken: Names that results will have: a record that has one ends the reading with ValueError.
        """
        super().__init__(source)  # pyright: ignore[reportUnknownMemberType] - Ray's types are not known here
        self._id_column, self._text_column, self._taken = id_column, text_column, taken

    def _read_stream(self, f: Any, path: str) -> Iterator[Any]:
        """Arrow tables of at most BLOCK_ROWS rows; `f` is the open file, uncompressed."""
        names = (self._id_column, self._text_column, RECORD_COLUMN, PROBLEM_COLUMN)
        schema = arrow.schema([(name, arrow.string()) for name in names])
        rows = self._rows(io.BufferedReader(f), path)
        while block := list(islice(rows, BLOCK_ROWS)):
            yield arrow.Table.from_pylist(block, schema)

    def _rows(self, file: io.BufferedReader, path: str) -> Iterator[dict[str, str]]:
        for entry in read_records(read_lines(file, path), InputFormat.JSONL, path, [self._text_column]):
            if isinstance(entry, Problem):
                yield self._row({}, entry.place, problem=entry.message)
                continue
            number, record = entry
            self._check_names(record, f"{path}:{number}")
            try:
                yield self._row(record, f"{path}:{number}")
            except RecursionError:  # writing takes a little more of the stack than reading
                yield self._row({}, f"{path}:{number}", problem="is nested too deeply")

    def _row(self, record: Mapping[str, object], place: str, *, problem: str = "") -> dict[str, str]:
        row_id, text = text_of(record.get(self._id_column)), text_of(record.get(self._text_column))
        if row_id is None or text is None:
            problem = "has a field that is no text"
        own = {} if row_id else {self._id_column: place}
        absent = {} if self._text_column in record else {self._text_column: ""}
        return {
            self._id_column: row_id or place,
            self._text_column: text or "",
            RECORD_COLUMN: _as_json({**record, **own, **absent}),
            PROBLEM_COLUMN: problem and f"{place} {problem}",
        }

    def _check_names(self, record: Mapping[str, object], place: str) -> None:
        for name in self._taken:
            if name in record:
                raise ValueError(f"{name} is in the source ({place}), and is a column of the results")


def _as_json(record: Mapping[str, object]) -> str:
    """One line without its end; half a surrogate pair, which UTF-8 cannot hold, is escaped as in JSON."""
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
