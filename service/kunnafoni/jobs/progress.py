"""How fast a job goes, and how much of it is left."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kunnafoni.jobs.store import now_ms
from kunnafoni.storage.tables import ENDED

if TYPE_CHECKING:
    from kunnafoni.jobs.store import JobRow


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a job goes, in items and code points per second; both are 0 while that is not known."""

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
    end_ms = job.ended_ms or now_ms()
    elapsed_s = (end_ms - (job.started_ms or end_ms)) / 1000
    if elapsed_s <= 0:
        return Rate()
    return Rate(job.settled_items / elapsed_s, job.settled_code_points / elapsed_s)


def remaining_s(job: JobRow, rate: Rate) -> float | None:
    """Seconds until the job ends at this rate, by code points; None if there is no rate, or it has ended."""
    if not rate.code_points_per_s or job.state in ENDED:
        return None
    return (job.total_code_points - job.settled_code_points) / rate.code_points_per_s


def estimated_segments(job: JobRow) -> int:
    """Segments of the whole job, estimated from the items that are done; 0 when none is."""
    return round(job.done_segments * job.total_items / job.done_items) if job.done_items else 0
