"""Jobs and their results as stored to messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from kunnafoni.jobs.progress import average_rate, estimated_segments, remaining_s
from kunnafoni.storage.tables import MS_PER_DAY, VISIBLE, State
from kunnafoni.v1 import job_pb2

if TYPE_CHECKING:
    from kunnafoni.jobs.progress import Rate
    from kunnafoni.jobs.results import StoredResult
    from kunnafoni.jobs.store import JobRow

NAME_PREFIX = "jobs/"
STATES: dict[State, job_pb2.JobState.ValueType] = {
    state: job_pb2.JobState.Value(f"JOB_STATE_{state.name}") for state in VISIBLE
}


def job_message(job: JobRow, *, expiry_days: float, rate: Rate | None = None) -> job_pb2.Job:
    """A job as a message; `rate` is that of the whole run if None."""
    expire_ms = job.ended_ms + round(expiry_days * MS_PER_DAY) if job.ended_ms and expiry_days else None
    return job_pb2.Job(
        name=NAME_PREFIX + job.id,
        spec=job_pb2.JobSpec.FromString(job.spec),
        state=STATES[job.state],
        progress=_progress(job, rate or average_rate(job)),
        create_time=_timestamp(job.created_ms),
        start_time=_timestamp(job.started_ms),
        end_time=_timestamp(job.ended_ms),
        expire_time=_timestamp(expire_ms),
    )


def _progress(job: JobRow, rate: Rate) -> job_pb2.JobProgress:
    progress = job_pb2.JobProgress(
        total_items=job.total_items,
        done_items=job.done_items,
        failed_items=job.failed_items,
        reused_items=job.reused_items,
        done_segments=job.done_segments,
        estimated_segments=estimated_segments(job),
        total_code_points=job.total_code_points,
        settled_code_points=job.settled_code_points,
        items_per_second=rate.items_per_s,
    )
    left_s = remaining_s(job, rate)
    if left_s is not None:
        progress.remaining_time.CopyFrom(Duration(seconds=round(left_s)))
    return progress


def _timestamp(time_ms: int | None) -> Timestamp | None:
    if time_ms is None:
        return None
    timestamp = Timestamp()
    timestamp.FromMilliseconds(time_ms)
    return timestamp


def result_message(stored: StoredResult) -> job_pb2.JobResult:
    """A result as a message."""
    message = job_pb2.JobResult.FromString(stored.body)
    message.index = stored.position
    message.id = stored.id
    message.reused = stored.reused
    if stored.item is not None:
        message.item.MergeFromString(stored.item)
    return message
