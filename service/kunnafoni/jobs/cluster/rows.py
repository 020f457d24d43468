"""What an actor of a Ray cluster does: rows in, the same rows with their results out.

It knows no models, and of Ray only that it calls with tables of Arrow.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kunnafoni.errors import InvalidInputError, OverloadedError, UnavailableError
from kunnafoni.jobs.values import JobItem

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from kunnafoni.jobs.values import ItemResult, JobSpec
    from kunnafoni.jobs.work import Processor

    MakeProcessor = Callable[[], AbstractAsyncContextManager[Processor]]

RETRY_S = 1.0
ERROR_COLUMN = "error"
# A source may have it: what is wrong with a row, empty if nothing is. It is not among the results.
PROBLEM_COLUMN = "_problem"
# Of JSON lines: the whole record as JSON, which the writer takes apart again.
RECORD_COLUMN = "_record"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRules:
    """What is asked for, and where in a row it is found.

    Attributes:
        spec: Kind and options of the job; TRANSLATE only.
        text_column: Column of the texts.
        max_code_points: Longest text.
    """

    spec: JobSpec
    text_column: str = "text"
    max_code_points: int = 200_000


class RowWorker:
    """An actor's callable."""

    def __init__(self, make_processor: MakeProcessor, rules: RowRules) -> None:
        """Load the models, in an event loop of the actor's own."""
        self._rules = rules
        self._targets = rules.spec.options.targets
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._context = make_processor()
        self._processor: Processor = self._wait(self._context.__aenter__())

    def __call__(self, batch: Any) -> Any:
        """Work on all rows of a batch, an Arrow table, at the same time; its columns keep their types and values."""
        arrow: Any = import_module("pyarrow")
        texts: list[object] = batch[self._rules.text_column].to_pylist()
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
        return await asyncio.gather(*(self._row(position, *pair) for position, pair in enumerate(pairs)))

    async def _row(self, position: int, text: object, problem: str | None) -> dict[str, str]:
        row = dict.fromkeys(result_columns(self._targets), "")
        if error := problem or self._problem(text):
            return row | {ERROR_COLUMN: error}
        result = await self._result(JobItem(text=str(text)), position)
        if result.error:
            return row | {ERROR_COLUMN: str(result.error)}
        for target, translation in zip(self._targets, result.translations, strict=True):
            names = dict.fromkeys(finding.type for segment in translation.segments for finding in segment.findings)
            row |= {target: translation.text, f"{target}_warnings": " ".join(names)}
        return row

    def _problem(self, text: object) -> str:
        """What a server would say when it is sent this text; empty if it would take it."""
        longest = self._rules.max_code_points
        if text is not None and not isinstance(text, str):
            problem = "is no text"
        elif not text:
            problem = "is absent or empty"
        elif len(text) > longest:
            problem = f"has {len(text)} code points; at most {longest} are taken"
        else:
            return ""
        return str(InvalidInputError(self._rules.text_column, problem))

    async def _result(self, item: JobItem, position: int) -> ItemResult:
        while True:
            try:
                return await self._processor.process(self._rules.spec, item, job=0, position=position)
            except (OverloadedError, UnavailableError) as error:
                await asyncio.sleep(error.retry_after_s or RETRY_S)


def result_columns(targets: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that are added: text and warnings of each language, then the error, empty where there is none."""
    return (*(column for target in targets for column in (target, f"{target}_warnings")), ERROR_COLUMN)
