"""JSON lines as a sink of Ray Data: for each row the record as it was in the source, and after it the result columns.

Ray's own writer goes through pandas, which makes floats of integers beside a missing value. It is one of Ray's
file sinks, so that the checkpoint works in two phases. Imported only where Ray is used: it needs the extra `ray`.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from kunnafoni.jobs.cluster.rows import RECORD_COLUMN

BlockBasedFileDatasink: Any = import_module("ray.data.datasource").BlockBasedFileDatasink


class JsonParts(BlockBasedFileDatasink):
    """A folder of files of JSON objects, one per line; each part is a file."""

    def __init__(self, path: str, *, columns: tuple[str, ...]) -> None:
        super().__init__(path, file_format="json")  # pyright: ignore[reportUnknownMemberType] - as in JsonLines
        self._columns = columns

    def write_block_to_file(self, block: Any, file: Any) -> None:
        """Write rows that have RECORD_COLUMN and the result columns, none of which is in the record."""
        table = block.to_arrow().select([RECORD_COLUMN, *self._columns])
        for row in table.to_pylist():
            # Joined as text, so that the record, however deep, is not parsed once more.
            record = row.pop(RECORD_COLUMN).removesuffix("}")
            results = json.dumps(row, ensure_ascii=False).removeprefix("{")
            file.write(f"{record}, {results}\n".encode())
