"""What an actor of a Ray cluster does: rows in, the same rows with their results out, by a server's `Work`.

It knows no models, and of Ray only that it calls with tables of Arrow.
"""

from __future__ import annotations

import asyncio
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

from google.rpc.status_pb2 import Status

from kunnafoni.documents.result_formats import by_language, warning_names
from kunnafoni.errors import InvalidInputError, OverloadedError, UnavailableError
from kunnafoni.jobs.work import ClaimedItem, Outcome
from kunnafoni.v1 import job_pb2

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from kunnafoni.jobs.work import Work

    MakeWork = Callable[[], AbstractAsyncContextManager[Work]]

RETRY_S = 1.0
ERROR_COLUMN = "error"
# A source may have it: what is wrong with a row, empty if nothing is. It is not among the results.
PROBLEM_COLUMN = "_problem"
# Of JSON lines: the whole record as JSON, which the writer takes apart again.
RECORD_COLUMN = "_record"


class RowWorker:
    """An actor's callable."""

    def __init__(self, make_work: MakeWork, spec: bytes, *, text_column: str, max_code_points: int) -> None:
        """Load the models, in an event loop of the actor's own.

        Args:
            make_work: Makes the `Work`.
            spec: A TRANSLATE `JobSpec`.
            text_column: Column of the texts.
            max_code_points: Longest text.
        """
        self._spec = spec
        self._targets = tuple(job_pb2.JobSpec.FromString(spec).options.target_language_codes)
        self._text_column = text_column
        self._max_code_points = max_code_points
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._context = make_work()
        self._work: Work = self._wait(self._context.__aenter__())

    def __call__(self, batch: Any) -> Any:
        """Work on all rows of a batch, an Arrow table, at the same time; its columns keep their types and values."""
        arrow: Any = import_module("pyarrow")
        texts: list[object] = batch[self._text_column].to_pylist()
        problems: list[str | None] = [None] * len(texts)
        if PROBLEM_COLUMN in batch.column_names:
            problems = batch[PROBLEM_COLUMN].to_pylist()
            batch = batch.drop_columns([PROBLEM_COLUMN])
        rows: list[dict[str, str]] = self._wait(self._all(texts, problems))
        for column in result_columns(self._targets):
            batch = batch.append_column(column, arrow.array([row[column] for row in rows], arrow.string()))
        return batch

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _all(self, texts: list[object], problems: list[str | None]) -> list[dict[str, str]]:
        pairs = zip(texts, problems, strict=True)
        return await asyncio.gather(*(self._row(place, *pair) for place, pair in enumerate(pairs)))

    async def _row(self, place: int, text: object, problem: str | None) -> dict[str, str]:
        row = dict.fromkeys(result_columns(self._targets), "")
        if error := problem or self._problem(text):
            return row | {ERROR_COLUMN: error}
        text = str(text)
        body = job_pb2.JobItem(text=text).SerializeToString(deterministic=True)
        item = ClaimedItem(job=0, chunk=0, position=place, code_points=len(text), spec=self._spec, body=body)
        result = job_pb2.JobResult.FromString((await self._outcome(item)).body)
        if result.HasField("error"):
            status = Status()
            result.error.Unpack(status)
            return row | {ERROR_COLUMN: status.message}
        for target, translation in by_language(result, self._targets):
            row |= {target: translation.text, f"{target}_warnings": " ".join(warning_names(translation))}
        return row

    def _problem(self, text: object) -> str:
        """What a server would say when it is sent this text; empty if it would take it."""
        if text is not None and not isinstance(text, str):
            problem = "is no text"
        elif not text:
            problem = "is absent or empty"
        elif len(text) > self._max_code_points:
            problem = f"has {len(text)} code points; at most {self._max_code_points} are taken"
        else:
            return ""
        return str(InvalidInputError(self._text_column, problem))

    async def _outcome(self, item: ClaimedItem) -> Outcome:
        while True:
            try:
                return await self._work.run(item)
            except (OverloadedError, UnavailableError) as error:
                await asyncio.sleep(error.retry_after_s or RETRY_S)


def result_columns(targets: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that are added: of each language its text and warnings, then the error, empty where there is none."""
    return (*(column for target in targets for column in (target, f"{target}_warnings")), ERROR_COLUMN)
