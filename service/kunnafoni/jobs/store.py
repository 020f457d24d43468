"""The jobs as a whole: found, listed, cancelled, retried, deleted, expired. Items are not looked into.

It knows rows, not messages; a job's spec is bytes to it. All of it is blocking.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, func, insert, select, update

from kunnafoni.errors import NotFoundError
from kunnafoni.jobs.chunking import cut
from kunnafoni.storage.tables import (
    CLAIMABLE,
    ENDED,
    MS_PER_DAY,
    VISIBLE,
    State,
    chunks,
    items,
    job_labels,
    jobs,
    results,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, RowMapping

    from kunnafoni.storage.database import Database

PURGE_SLICE_ITEMS = 5_000
PURGE_SLICE_PAGES = 50_000


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it is stored. Times are milliseconds since 1970; None where it has not come to that."""

    number: int
    id: str
    spec: bytes
    state: State
    total_items: int
    done_items: int
    failed_items: int
    reused_items: int
    done_segments: int
    total_code_points: int
    settled_code_points: int
    last_sequence: int
    created_ms: int
    started_ms: int | None
    ended_ms: int | None

    @property
    def settled_items(self) -> int:
        """Items with a result or an error."""
        return self.done_items + self.failed_items


COLUMNS = tuple(jobs.c[name] for name in JobRow.__slots__)


class JobStore:
    """What can be asked of jobs that exist.

    Attributes:
        database: Where they are stored.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def get(self, job_id: str) -> JobRow:
        """Find a job.

        Raises:
            NotFoundError: there is none.
        """
        with self.database.read() as connection:
            return _find(connection, job_id)

    def list(
        self,
        *,
        before: int | None = None,
        limit: int,
        state: State | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[JobRow]:
        """The newest jobs, newest first.

        Args:
            before: Only jobs with lower numbers; None means all.
            limit: At most so many.
            state: Only jobs in this state; None means any.
            labels: Only jobs that have all of these.
        """
        query = select(*COLUMNS).where(jobs.c.state.in_(VISIBLE if state is None else (state,)))
        number: Any = jobs.c.number
        for place, (key, value) in enumerate((labels or {}).items()):
            label = job_labels.alias()
            query = query.join(label, label.c.job == number).where(label.c.key == key, label.c.value == value)
            if not place:  # read in the order of the first label's index, not of all jobs
                number = label.c.job
        if before is not None:
            query = query.where(number < before)
        with self.database.read() as connection:
            return [_job(row) for row in connection.execute(query.order_by(number.desc()).limit(limit)).mappings()]

    def cancel(self, job_id: str) -> JobRow:
        """Stop a job; one that has ended stays as it is. The runners stop the items that they are working on.

        Raises:
            NotFoundError: there is none.
        """
        with self.database.write() as connection:
            job = _find(connection, job_id, lock=True)
            if job.state in CLAIMABLE:
                mine = chunks.c.job == job.number
                connection.execute(delete(chunks).where(mine, chunks.c.owner.is_(None)))
                in_flight = connection.execute(select(chunks.c.number).where(mine).limit(1)).first()
                values = {"state": State.CANCELLING} if in_flight else {"state": State.CANCELLED, "ended_ms": now_ms()}
                connection.execute(update(jobs).where(jobs.c.number == job.number).values(values))
            return _find(connection, job_id)

    def retry(self, job_id: str) -> JobRow:
        """Put the failed items back to work, and in a cancelled job those that it has left.

        What runners are working on for this job is dropped and done again.

        Raises:
            NotFoundError: there is none.
        """
        with self.database.write() as connection:
            job = _find(connection, job_id, lock=True)
            cancelled = job.state in (State.CANCELLING, State.CANCELLED)
            if job.failed_items or (cancelled and job.done_items < job.total_items):
                connection.execute(delete(results).where(results.c.job == job.number, results.c.failed))
                connection.execute(delete(chunks).where(chunks.c.job == job.number))
                _reopen(connection, job)
            return _find(connection, job_id)

    def delete(self, job_id: str) -> None:
        """Take a job out of sight at once; `purge` removes its rows.

        Raises:
            NotFoundError: there is none.
        """
        with self.database.write() as connection:
            job = _find(connection, job_id, lock=True)
            _hide(connection, [job.number])

    def expire(self, *, days: float) -> int:
        """Delete jobs that ended more than `days` days ago; returns how many."""
        horizon_ms = now_ms() - round(days * MS_PER_DAY)
        with self.database.write() as connection:
            old = select(jobs.c.number).where(jobs.c.state.in_(ENDED), jobs.c.ended_ms < horizon_ms)
            numbers = list(connection.execute(old).scalars())
            _hide(connection, numbers)
        return len(numbers)

    def purge(self) -> bool:
        """Remove a slice of the rows of deleted jobs, so that nobody waits long; True if there may be more."""
        with self.database.write() as connection:
            number = connection.execute(select(jobs.c.number).where(jobs.c.state == State.DELETED).limit(1)).scalar()
            if number is None:
                return False
            for table in (results, items):
                first = connection.execute(select(func.min(table.c.position)).where(table.c.job == number)).scalar()
                if first is not None:
                    inside = table.c.position < first + PURGE_SLICE_ITEMS
                    connection.execute(delete(table).where(table.c.job == number, inside))
                    break
            else:
                connection.execute(delete(chunks).where(chunks.c.job == number))
                connection.execute(delete(job_labels).where(job_labels.c.job == number))
                connection.execute(delete(jobs).where(jobs.c.number == number))
        self.database.give_back(PURGE_SLICE_PAGES)
        return True


def now_ms() -> int:
    """This machine's clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def _find(connection: Connection, job_id: str, *, lock: bool = False) -> JobRow:
    query = select(*COLUMNS).where(jobs.c.id == job_id, jobs.c.state.in_(VISIBLE))
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise NotFoundError(kind="job", name=job_id)
    return _job(row)


def _job(row: RowMapping) -> JobRow:
    values: dict[str, Any] = dict(row)
    values["state"] = State(values["state"])
    return JobRow(**values)


def _hide(connection: Connection, numbers: list[int]) -> None:
    connection.execute(
        update(jobs).where(jobs.c.number.in_(numbers)).values(state=State.DELETED, request_id=None, uploader=None)
    )
    connection.execute(delete(chunks).where(chunks.c.job.in_(numbers)))


def _reopen(connection: Connection, job: JobRow) -> None:
    """Make chunks of all items that have no result, and let runners claim them."""
    same = and_(results.c.job == items.c.job, results.c.position == items.c.position)
    query = select(items.c.position, items.c.code_points).where(items.c.job == job.number, ~exists().where(same))
    sizes = [(row.position, row.code_points) for row in connection.execute(query.order_by(items.c.position))]
    connection.execute(
        insert(chunks),
        [
            {"job": job.number, "first": first, "last": last, "remaining": last - first + 1}
            for first, last in cut(sizes)
        ],
    )
    settled = job.total_code_points - sum(size for _, size in sizes)
    values = {"state": State.QUEUED, "failed_items": 0, "settled_code_points": settled, "ended_ms": None}
    connection.execute(update(jobs).where(jobs.c.number == job.number).values(values))
