"""Jobs and results as stored to messages, and how fast a job goes."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from kunnafoni.jobs.store import MS_PER_DAY
from kunnafoni.storage.tables import ENDED, State
from kunnafoni.v1 import job_pb2

if TYPE_CHECKING:
    from kunnafoni.jobs.results import StoredResult
    from kunnafoni.jobs.store import JobRow

STATES = {
    State.RUNNING: job_pb2.JOB_STATE_RUNNING,
    State.FINISHED: job_pb2.JOB_STATE_FINISHED,
    State.CANCELLED: job_pb2.JOB_STATE_CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a job goes, in items and code points a second; both 0 while that is not known."""

    items_per_s: float = 0.0
    code_points_per_s: float = 0.0


class RateMeter:
    """The rate of a job over the last half minute in which it was looked at."""

    WINDOW_S = 30.0

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int, int]] = deque()

    def look(self, job: JobRow) -> Rate:
        """Note how far the job is; the rate up to now, that of the whole run until there is something to compare."""
        now_s = time.monotonic()
        self._looks.append((now_s, job.settled_items, job.settled_code_points))
        while now_s - self._looks[0][0] > self.WINDOW_S:
            self._looks.popleft()
        then_s, items, code_points = self._looks[0]
        elapsed_s = now_s - then_s
        if not elapsed_s or job.settled_items <= items:
            return average_rate(job)
        return Rate((job.settled_items - items) / elapsed_s, (job.settled_code_points - code_points) / elapsed_s)


def average_rate(job: JobRow) -> Rate:
    """The rate over the whole run; unknown before the first item is done, and if the clock was set back meanwhile."""
    end_ms = job.ended_ms or time.time_ns() // 1_000_000
    elapsed_s = (end_ms - (job.started_ms or end_ms)) / 1000
    if elapsed_s <= 0:
        return Rate()
    return Rate(job.settled_items / elapsed_s, job.settled_code_points / elapsed_s)


def job_message(job: JobRow, *, expiry_days: float, rate: Rate | None = None) -> job_pb2.Job:
    """A job as a message; `rate` is that of the whole run if None."""
    expire_ms = job.ended_ms + round(expiry_days * MS_PER_DAY) if job.ended_ms and expiry_days else None
    return job_pb2.Job(
        id=job.id,
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
        estimated_segments=round(job.done_segments * job.total_items / job.done_items) if job.done_items else 0,
        total_code_points=job.total_code_points,
        settled_code_points=job.settled_code_points,
        items_per_second=rate.items_per_s,
    )
    if rate.code_points_per_s and job.state not in ENDED:
        left_s = (job.total_code_points - job.settled_code_points) / rate.code_points_per_s
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
