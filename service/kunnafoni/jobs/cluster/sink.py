"""Where a Ray run writes, and whether it may: into a folder that is new, or that the same job has begun.

A checkpoint beside the sink remembers rows by their ids alone. With other languages or models, rows that were never
processed with those would be passed over, so what the job was is kept with it. It knows paths and files, not Ray.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kunnafoni.errors import InvalidInputError
from kunnafoni.jobs.cluster.rows import ERROR_COLUMN

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Sink:
    """A folder for results on any file system that Arrow has: a path, or a URL such as `s3://bucket/folder`."""

    path: str

    @property
    def rows_done(self) -> str:
        """The folder in which Ray Data notes the rows that are written."""
        return f"{self._beside}/rows"

    @property
    def _beside(self) -> str:
        return f"{self.path.rstrip('/')}.checkpoint"

    def check(self, job: Mapping[str, object]) -> None:
        """Check that it is new, or was begun by this job.

        Args:
            job: Everything beside the rows that results depend on, under the names that a user knows; values of JSON.

        Raises:
            InvalidInputError: it holds something else.
        """
        beside, results = self._files(self._beside), self._files(self.path)
        if beside.filesystem.get_file_info(beside.note).type.name == "File":
            with beside.filesystem.open_input_stream(beside.note) as file:
                before: dict[str, object] = json.loads(file.read())
            for name in (name for name in job if job[name] != before.get(name)):
                problem = f"was begun with {name} {before.get(name)}, not {job[name]}; give another folder"
                raise InvalidInputError(self.path, problem)
            return
        selector = import_module("pyarrow.fs").FileSelector(results.path, allow_not_found=True)
        if results.filesystem.get_file_info(selector):
            raise InvalidInputError(self.path, "has files that are no results of this job; give another folder")

    def begin(self, job: Mapping[str, object]) -> None:
        """Note that it belongs to this job from now on."""
        beside = self._files(self._beside)
        beside.filesystem.create_dir(beside.path, recursive=True)
        with beside.filesystem.open_output_stream(beside.note) as file:
            file.write(json.dumps(job).encode())

    def failed_rows(self, *, parquet: bool) -> int:
        """How many rows of the results have an error."""
        results = self._files(self.path)
        if parquet:
            data: Any = import_module("pyarrow.dataset")
            rows = data.dataset(results.path, filesystem=results.filesystem, format="parquet")
            return rows.count_rows(filter=data.field(ERROR_COLUMN) != "")
        selector = import_module("pyarrow.fs").FileSelector(results.path)
        parts = [each.path for each in results.filesystem.get_file_info(selector) if each.path.endswith(".json")]
        return sum(self._failed_lines(results.filesystem, part) for part in parts)

    @staticmethod
    def _failed_lines(filesystem: Any, part: str) -> int:
        with io.BufferedReader(filesystem.open_input_stream(part)) as file:
            return sum(bool(json.loads(line)[ERROR_COLUMN]) for line in file)

    @staticmethod
    def _files(path: str) -> _Place:
        arrow_fs: Any = import_module("pyarrow.fs")
        if "://" in path:
            return _Place(*arrow_fs.FileSystem.from_uri(path))
        return _Place(arrow_fs.LocalFileSystem(), path)


@dataclass(frozen=True, slots=True)
class _Place:
    filesystem: Any
    path: str

    @property
    def note(self) -> str:
        """The file that says whose it is."""
        return f"{self.path}/job.json"
