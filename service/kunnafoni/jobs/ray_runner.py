"""Archives through a Ray cluster: read by Ray Data, worked on by a pool of actors, written in parts, resumable.

An actor does to a row what a server's runner does to an item, by the same `Work`, so results are the same. It knows no
models and no server; Ray is imported only when it runs (extra `ray`).
"""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from google.rpc.status_pb2 import Status

from kunnafoni.errors import InvalidInputError, OverloadedError, UnavailableError
from kunnafoni.jobs.formats import by_language, warning_names
from kunnafoni.jobs.work import ClaimedItem, Outcome
from kunnafoni.v1 import job_pb2

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from kunnafoni.jobs.work import Work

    MakeWork = Callable[[], AbstractAsyncContextManager[Work]]

RETRY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RayJob:
    """What is to be done.

    Attributes:
        source: Folder or file of JSON lines or, if it ends in `.parquet` or says so, Parquet; any path that Ray reads.
        sink: Folder for the results.
        checkpoint: Folder that remembers which rows are written; the same one resumes. Seen by the whole cluster.
        spec: Kind and options of the job; TRANSLATE only.
        id_column: Column that tells rows apart: unique, present in every row.
        text_column: Column of the texts.
        parquet: Whether to read and write Parquet instead of JSON lines.
        workers: Actors; each has models of its own.
        batch_rows: Rows that an actor works on at once.
    """

    source: str
    sink: str
    checkpoint: str
    spec: bytes
    id_column: str = "id"
    text_column: str = "text"
    parquet: bool = False
    workers: int = 2
    batch_rows: int = 64


class RowWorker:
    """An actor's callable: a batch of rows in, the same rows with their results out."""

    def __init__(self, make_work: MakeWork, job: RayJob) -> None:
        """Load the models, in an event loop of the actor's own."""
        self._job = job
        self._targets = tuple(job_pb2.JobSpec.FromString(job.spec).options.target_language_codes)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._context = make_work()
        self._work: Work = self._wait(self._context.__aenter__())

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Work on all rows of a batch at the same time."""
        texts = batch[self._job.text_column]
        rows: list[dict[str, Any]] = self._wait(self._all([str(text or "") for text in texts]))
        return {**batch, **{column: [row[column] for row in rows] for column in rows[0]}} if rows else batch

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _all(self, texts: list[str]) -> list[dict[str, Any]]:
        return await asyncio.gather(*(self._row(position, text) for position, text in enumerate(texts)))

    async def _row(self, position: int, text: str) -> dict[str, Any]:
        # Empty instead of absent: a column then has one type in all parts.
        row: dict[str, Any] = {"error": ""}
        for target in self._targets:
            row |= {target: "", f"{target}_warnings": ""}
        if not text:
            return row | {"error": "INVALID_ARGUMENT: the text is empty"}
        body = job_pb2.JobItem(text=text).SerializeToString(deterministic=True)
        item = ClaimedItem(job=0, chunk=0, position=position, code_points=len(text), spec=self._job.spec, body=body)
        result = job_pb2.JobResult.FromString((await self._outcome(item)).body)
        if result.HasField("error"):
            status = Status()
            result.error.Unpack(status)
            return row | {"error": status.message}
        for target, translation in by_language(result, self._targets):
            row |= {target: translation.text, f"{target}_warnings": " ".join(warning_names(translation))}
        return row

    async def _outcome(self, item: ClaimedItem) -> Outcome:
        while True:
            try:
                return await self._work.run(item)
            except (OverloadedError, UnavailableError) as error:
                await asyncio.sleep(error.retry_after_s or RETRY_S)


def run_ray(make_work: MakeWork, job: RayJob, *, address: str | None = None) -> None:
    """Run a job to its end; rows that an earlier run has written are passed over.

    Args:
        make_work: Makes the `Work` of an actor; it travels to the actors, so it must pickle.
        job: What is to be done.
        address: Of a cluster, `auto` for the one of this machine; None starts one here that ends with the run.

    Raises:
        ImportError: Ray is not installed.
        InvalidInputError: the source has no such column.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine
    ray: Any = import_module("ray")
    data: Any = import_module("ray.data")
    checkpoint: Any = import_module("ray.data.checkpoint")
    # A cluster of this machine alone counts a processor for each actor, one for the filter of what is done and one for
    # reading and writing; with fewer they would wait for each other for ever.
    here = {"num_cpus": job.workers + 2, "include_dashboard": False} if address is None else {}
    ray.init(address=address, log_to_driver=False, **here)
    try:
        # Without `lines=True`, which gives the same rows as pandas blocks: the filter takes Arrow's alone.
        read = data.read_parquet if job.parquet else data.read_json
        columns = read(job.source).columns()
        for column in (job.id_column, job.text_column):
            if column not in columns:
                raise InvalidInputError("column", f"{column} is not in the source, which has {', '.join(columns)}")
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.checkpoint_config = checkpoint.CheckpointConfig(
            id_column=job.id_column, checkpoint_path=job.checkpoint, delete_checkpoint_on_success=False
        )
        rows = read(job.source)  # only now: a dataset keeps the context that it began with
        made = rows.map_batches(
            RowWorker,
            fn_constructor_args=(make_work, job),
            batch_size=job.batch_rows,
            batch_format="numpy",
            compute=data.ActorPoolStrategy(size=job.workers),
        )
        if job.parquet:
            made.write_parquet(job.sink)
        else:
            made.write_json(job.sink)
    finally:
        ray.shutdown()
