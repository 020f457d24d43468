"""Archives through a Ray cluster: read by Ray Data, worked on by a pool of actors, written in parts, resumable.

An actor does to a row what a server does to an item, by the same `Processor`, so results are the same. Ray Data's
checkpoint notes what is written, in two phases for each part: a kill at any moment neither loses a row nor writes one
twice. It knows no models and no server; Ray is imported only when it runs (extra `ray`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kunnafoni.errors import InvalidInputError, KunnafoniError
from kunnafoni.jobs.cluster.rows import RowRules, RowWorker, result_columns
from kunnafoni.jobs.cluster.sink import Sink
from kunnafoni_models.extras import needs_extra

if TYPE_CHECKING:
    from kunnafoni.jobs.cluster.rows import MakeProcessor
    from kunnafoni.jobs.values import JobSpec

CHECK_ROWS = 10_000
# Beside one processor per actor: for reading, cutting and writing, and for the filter of rows that are done.
OTHER_PROCESSORS = 2


class RayRunError(KunnafoniError):
    """Ray gave up the run. What is written stays, and the same command goes on from there."""

    code = "INTERNAL"
    reason = "RAY"
    english_template = "Ray gave up: {problem}"
    french_template = "Ray a abandonné : {problem}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RayJob:
    """What is to be done.

    Attributes:
        source: File or folder of JSON lines or Parquet; any path that Ray reads.
        sink: Folder for the results. A folder beside it, which the whole cluster must see, notes what is done.
        spec: Kind and options of the job; TRANSLATE only.
        models: The models and what else the answers depend on: a run with others is another job.
        id_column: Column that identifies rows; a line of JSON without it is identified by its place.
        text_column: Column of the texts.
        parquet: Whether to read and write Parquet instead of JSON lines.
        workers: Actors; each has models of its own.
        batch_rows: Rows that an actor works on at once, and that make a part of the results: what is lost if it is
            killed.
        max_code_points: Longest text.
    """

    source: str
    sink: str
    spec: JobSpec
    models: tuple[str, ...] = ()
    id_column: str = "id"
    text_column: str = "text"
    parquet: bool = False
    workers: int = 2
    batch_rows: int = 256
    max_code_points: int = 200_000


def run_ray(make_processor: MakeProcessor, job: RayJob, *, address: str | None = None) -> int:
    """Run a job to its end; rows that an earlier run has written are passed over, those with an error too.

    Only one run may use a sink at a time: nothing keeps two from writing the same rows. The ids of all rows pass
    through this process, at about 100 bytes of memory each.

    Args:
        make_processor: Makes the `Processor` of an actor; it travels to the actors, so it must pickle.
        job: What is to be done.
        address: Of a cluster, `auto` for the one of this machine; None starts one here that ends with the run.

    Returns:
        How many rows of all the results have an error, those of earlier runs too.

    Raises:
        MissingExtraError: Ray is not installed.
        InvalidInputError: the source lacks a column or has an id twice, the sink holds something else, or the cluster
            is too small.
        OSError: there is no such source.
        RayRunError: Ray gave up.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine
    with needs_extra("ray", "a Ray cluster"):
        ray: Any = import_module("ray")
        import_module("ray.data")
    here = {"num_cpus": job.workers + OTHER_PROCESSORS, "include_dashboard": False} if address is None else {}
    ray.init(address=address or "local", log_to_driver=False, logging_level="WARNING", **here)
    try:
        _check_cluster(ray, job)
        sink = Sink(job.sink)
        sink.check(_description(job))
        _check_rows(_read(job), job)
        sink.begin(_description(job))
        _run(make_processor, job, sink)
        return sink.failed_rows(parquet=job.parquet)
    except ray.exceptions.RayError as error:
        raise RayRunError(problem=_problem(error)) from error
    finally:
        ray.shutdown()


def _problem(error: Any) -> str:
    """What went wrong: of the many lines that Ray writes the first, and the last if it differs."""
    cause = getattr(error, "cause", None) or error
    lines = str(cause).strip().splitlines() or [""]
    return f"{type(cause).__name__}: {' ... '.join(dict.fromkeys((lines[0], lines[-1])))}"


def _check_cluster(ray: Any, job: RayJob) -> None:
    """With too few processors the actors would take all, and wait for rows that nobody can read."""
    have, need = round(ray.cluster_resources().get("CPU", 0)), job.workers + OTHER_PROCESSORS
    if have < need:
        raise InvalidInputError("workers", f"are {job.workers}, which takes {need} processors; the cluster has {have}")


def _description(job: RayJob) -> dict[str, object]:
    options = job.spec.options
    return {
        "source": job.source,
        "to": list(options.targets),
        "from": options.source or "",
        "id-field": job.id_column,
        "text-field": job.text_column,
        "parquet": job.parquet,
        "models": list(job.models),
    }


def _result_columns(job: RayJob) -> tuple[str, ...]:
    return result_columns(job.spec.options.targets)


def _read(job: RayJob) -> Any:
    # Imported here: only where Ray is.
    from kunnafoni.jobs.cluster.source import JsonLines  # noqa: PLC0415

    data: Any = import_module("ray.data")
    try:
        if job.parquet:
            return data.read_parquet(job.source)
        columns = {"id_column": job.id_column, "text_column": job.text_column}
        return data.read_datasource(JsonLines(job.source, **columns, taken=_result_columns(job)))
    except ValueError as error:  # a folder without files
        raise InvalidInputError("source", str(error)) from error


def _check_rows(rows: Any, job: RayJob) -> None:
    """Look through the source: the checkpoint would pass over the second of two rows with one id."""
    columns: list[str] = rows.columns() or [job.id_column, job.text_column]
    for column in (job.id_column, job.text_column):
        if column not in columns:
            raise InvalidInputError("column", f"{column} is not in the source, which has {', '.join(columns)}")
    for column in _result_columns(job):
        if column in columns:
            raise InvalidInputError("column", f"{column} is in the source, and is a column of the results")
    seen: set[int] = set()
    for batch in rows.select_columns([job.id_column]).iter_batches(batch_size=CHECK_ROWS, batch_format="pyarrow"):
        for row_id in batch[job.id_column].to_pylist():
            if row_id is None:
                raise InvalidInputError("column", f"{job.id_column} is empty in a row")
            if (digest := hash(str(row_id))) in seen:
                raise InvalidInputError("column", f"{job.id_column} has a value twice: {row_id}")
            seen.add(digest)
    if not seen:
        raise InvalidInputError("source", "there are no rows in it")


def _run(make_processor: MakeProcessor, job: RayJob, sink: Sink) -> None:
    data: Any = import_module("ray.data")
    checkpoint: Any = import_module("ray.data.checkpoint")
    data.DataContext.get_current().checkpoint_config = checkpoint.CheckpointConfig(
        id_column=job.id_column, checkpoint_path=sink.rows_done, delete_checkpoint_on_success=False
    )
    rows = _read(job)  # only now: a dataset keeps the context that it began with
    # Without this a part is as large as what was read at once, and a kill costs all that was done of it.
    parts = rows.repartition(target_num_rows_per_block=job.batch_rows, strict=True)
    rules = RowRules(spec=job.spec, text_column=job.text_column, max_code_points=job.max_code_points)
    made = parts.map_batches(
        RowWorker,
        fn_constructor_args=(make_processor, rules),
        batch_size=job.batch_rows,
        batch_format="pyarrow",
        compute=data.ActorPoolStrategy(size=job.workers),
    )
    if job.parquet:
        made.write_parquet(sink.path)
    else:
        # Imported here: only where Ray is.
        from kunnafoni.jobs.cluster.parts import JsonParts  # noqa: PLC0415

        made.write_datasink(JsonParts(sink.path, columns=_result_columns(job)))
