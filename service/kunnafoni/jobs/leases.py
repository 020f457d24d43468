"""Work and who does it: runners claim chunks, only the owner of a chunk may store results, dead runners lose theirs.

No machine's clock is part of a lease, so a clock that is wrong or set back cannot break one. A runner that is alive
counts its `heartbeat` up in the database, and every other runner watches the count by its own monotonic clock. If it
stands still for the length of a lease the runner is dead, and its next write finds that it owns nothing (leases: Gray
and Cheriton 1989, SOSP; counters instead of times: the lock client of Amazon's DynamoDB). It knows rows, not messages.
All of it is blocking.
"""

from __future__ import annotations

import secrets
import time
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, func, insert, or_, select, true, update

from kunnafoni.jobs.packing import pack, unpack
from kunnafoni.jobs.store import now_ms
from kunnafoni.jobs.work import SUSPECT_AFTER_CRASHES, ClaimedItem
from kunnafoni.storage.tables import CLAIMABLE, State, chunks, items, jobs, results, runners

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Row, Select

    from kunnafoni.jobs.work import Outcome
    from kunnafoni.storage.database import Database


class Leases:
    """One runner's view of the work. Its name, `owner`, is new whenever it registers: what it owned before is lost."""

    def __init__(self, database: Database, *, lease_s: float) -> None:
        self._database = database
        self._lease_s = lease_s
        self._seen: dict[str, tuple[int, float]] = {}
        self.owner = secrets.token_hex(8)

    def register(self) -> None:
        """Enter this runner under a new name; if the database is not shared, all other runners are dead and reaped."""
        self.owner = secrets.token_hex(8)
        with self._database.write() as connection:
            if not self._database.is_shared:
                connection.execute(delete(runners))
            connection.execute(insert(runners).values(id=self.owner, heartbeat=0))
            _reap(connection)
        self.drop_cancelled()

    def heartbeat(self) -> bool:
        """Say that this runner is alive, and reap those silent for `lease_s`; False if it was reaped itself."""
        with self._database.write() as connection:
            own = update(runners).where(runners.c.id == self.owner).values(heartbeat=runners.c.heartbeat + 1)
            alive = connection.execute(own).rowcount == 1
            others = connection.execute(select(runners.c.id, runners.c.heartbeat).where(runners.c.id != self.owner))
            heartbeats = {row.id: row.heartbeat for row in others}
        silent = self._silent(heartbeats)
        with self._database.write() as connection:
            for dead in silent:
                still = and_(runners.c.id == dead, runners.c.heartbeat == heartbeats[dead])
                connection.execute(delete(runners).where(still))
            _reap(connection)
        self.drop_cancelled()
        return alive

    def _silent(self, heartbeats: dict[str, int]) -> list[str]:
        """Note the heartbeats of the others; those that have not changed for the length of a lease."""
        now_s = time.monotonic()
        self._seen = {
            runner: self._seen[runner] if self._seen.get(runner, (None,))[0] == count else (count, now_s)
            for runner, count in heartbeats.items()
        }
        return [runner for runner, (_, since_s) in self._seen.items() if now_s - since_s > self._lease_s]

    def unregister(self) -> None:
        """Give back all chunks at once; `register` comes before any further work."""
        with self._database.write() as connection:
            connection.execute(update(chunks).where(chunks.c.owner == self.owner).values(owner=None))
            connection.execute(delete(runners).where(runners.c.id == self.owner))
            _reap(connection)
        self.drop_cancelled()

    def owned(self) -> tuple[set[int], set[int]]:
        """The chunks that are still this runner's, by number: those to be worked on, and those of cancelled jobs."""
        of_job = chunks.join(jobs, jobs.c.number == chunks.c.job)
        query = select(chunks.c.number, jobs.c.state).select_from(of_job).where(chunks.c.owner == self.owner)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        cancelled = {row.number for row in rows if row.state == State.CANCELLING}
        return {row.number for row in rows} - cancelled, cancelled

    def drop_cancelled(self, dropped: Iterable[int] = ()) -> None:
        """End the cancelled jobs that nobody works on any more, once these chunks of theirs are given up.

        Args:
            dropped: Numbers of chunks that this runner owns and has stopped to work on.
        """
        own = and_(chunks.c.number.in_(dropped), chunks.c.owner == self.owner)
        nobodys = or_(chunks.c.owner.is_(None), own)
        with self._database.write() as connection:
            # Jobs are locked before chunks, here as everywhere, so that no two transactions wait for each other.
            query = select(jobs.c.number).where(jobs.c.state == State.CANCELLING).with_for_update()
            for job in list(connection.execute(query).scalars()):
                connection.execute(delete(chunks).where(chunks.c.job == job, nobodys))
                at_work = exists().where(chunks.c.job == job)
                ended = {"state": State.CANCELLED, "ended_ms": now_ms()}
                connection.execute(update(jobs).where(jobs.c.number == job, ~at_work).values(ended))

    def keep_only(self, kept: set[int]) -> None:
        """Give back the chunks that are not in `kept`."""
        others = and_(chunks.c.owner == self.owner, chunks.c.number.not_in(kept))
        with self._database.write() as connection:
            connection.execute(update(chunks).where(others).values(owner=None))

    def claim(self, *, max_chunks: int, alone: bool) -> list[ClaimedItem]:
        """Take up to `max_chunks` chunks of the job whose turn it is; their items without result, in order.

        Chunks over which runners have crashed come last, and only if `alone` says that nothing else is being worked on;
        then the first item of one such chunk is all that is taken.
        """
        suspect = chunks.c.crash_count >= SUSPECT_AFTER_CRASHES
        free = and_(chunks.c.owner.is_(None), true() if alone else ~suspect)
        its_own = and_(chunks.c.job == jobs.c.number, free)
        turn = select(jobs.c.number, jobs.c.spec).where(jobs.c.state.in_(CLAIMABLE), exists().where(its_own))
        with self._database.write() as connection:
            job = connection.execute(turn.order_by(jobs.c.last_claim, jobs.c.number).limit(1).with_for_update()).first()
            if job is None:
                return []
            query = select(chunks).where(chunks.c.job == job.number, free).order_by(suspect, chunks.c.first)
            found = connection.execute(query.limit(max_chunks).with_for_update(skip_locked=True)).all()
            claimed = [row for row in found if row.crash_count < SUSPECT_AFTER_CRASHES] or _first_item_of(
                connection, found[:1]
            )
            if not claimed:
                return []
            connection.execute(
                update(chunks).where(chunks.c.number.in_([row.number for row in claimed])).values(owner=self.owner)
            )
            last_claim = select(func.max(jobs.alias().c.last_claim)).scalar_subquery()
            started_ms = func.coalesce(jobs.c.started_ms, now_ms())
            values = {"state": State.RUNNING, "last_claim": last_claim + 1, "started_ms": started_ms}
            connection.execute(update(jobs).where(jobs.c.number == job.number).values(values))
            return [
                ClaimedItem(
                    job=job.number,
                    chunk=chunk.number,
                    position=row.position,
                    code_points=row.code_points,
                    crash_count=chunk.crash_count,
                    spec=job.spec,
                    body=unpack(row.body),
                )
                for chunk in claimed
                for row in connection.execute(_to_do(chunk))
            ]

    def earlier_results(self, fingerprints: Sequence[bytes]) -> dict[bytes, tuple[bytes, int]]:
        """Earlier results by fingerprint, as (body, segments)."""
        query = select(results.c.fingerprint, results.c.body, results.c.segments)
        with self._database.read() as connection:
            rows = connection.execute(query.where(results.c.fingerprint.in_(fingerprints)))
            return {row.fingerprint: (unpack(row.body), row.segments) for row in rows if row.fingerprint}

    def complete(self, outcomes: Sequence[Outcome]) -> int:
        """Store outcomes in the order given; returns how many. Those whose chunk is no longer owned are dropped."""
        taken = 0
        with self._database.write() as connection:
            by_job = sorted(outcomes, key=lambda outcome: outcome.item.job)
            for job, group in groupby(by_job, key=lambda outcome: outcome.item.job):
                taken += self._complete(connection, job, list(group))
        return taken

    def _complete(self, connection: Connection, job: int, outcomes: list[Outcome]) -> int:
        names = ("state", "last_sequence", "total_items", "done_items", "failed_items")
        counters = select(*(jobs.c[name] for name in names))
        row = connection.execute(counters.where(jobs.c.number == job).with_for_update()).first()
        # A transaction that was reported as failed may have been made all the same; then the outcomes come again.
        positions = [outcome.item.position for outcome in outcomes]
        same = select(results.c.position).where(results.c.job == job, results.c.position.in_(positions))
        stored = set(connection.execute(same).scalars())
        once = {outcome.item.position: outcome for outcome in outcomes}.values()
        mine = [outcome for outcome in once if row and outcome.item.position not in stored]
        for chunk in {outcome.item.chunk for outcome in mine}:
            finished = sum(outcome.item.chunk == chunk for outcome in mine)
            owned = and_(chunks.c.number == chunk, chunks.c.job == job, chunks.c.owner == self.owner)
            less = update(chunks).where(owned).values(remaining=chunks.c.remaining - finished)
            if connection.execute(less).rowcount == 0:
                mine = [outcome for outcome in mine if outcome.item.chunk != chunk]
        if row is None or not mine:
            return 0
        failed = sum(outcome.failed for outcome in mine)
        values: dict[str, Any] = {
            "last_sequence": row.last_sequence + len(mine),
            "failed_items": row.failed_items + failed,
            "done_items": row.done_items + len(mine) - failed,
            "reused_items": jobs.c.reused_items + sum(outcome.reused for outcome in mine),
            "done_segments": jobs.c.done_segments + sum(outcome.segments for outcome in mine),
            "settled_code_points": jobs.c.settled_code_points + sum(outcome.item.code_points for outcome in mine),
        }
        if row.done_items + row.failed_items + len(mine) == row.total_items:
            values |= {"state": _end_state(values["done_items"], values["failed_items"]), "ended_ms": now_ms()}
        connection.execute(insert(results), [_row(outcome, row.last_sequence + n) for n, outcome in enumerate(mine, 1)])
        connection.execute(
            delete(chunks).where(chunks.c.job == job, chunks.c.owner == self.owner, chunks.c.remaining == 0)
        )
        if row.state == State.CANCELLING and "state" not in values and not _has_chunks(connection, job):
            values |= {"state": State.CANCELLED, "ended_ms": now_ms()}
        connection.execute(update(jobs).where(jobs.c.number == job).values(values))
        return len(mine)


def _has_chunks(connection: Connection, job: int) -> bool:
    return connection.execute(select(chunks.c.number).where(chunks.c.job == job).limit(1)).first() is not None


def _end_state(done_items: int, failed_items: int) -> State:
    if not failed_items:
        return State.SUCCEEDED
    return State.PARTIALLY_SUCCEEDED if done_items else State.FAILED


def _reap(connection: Connection) -> None:
    """Give back the chunks of runners that are not registered (any more), and end the uploads that they received.

    It is about all such runners and not about those that died just now, because a runner that was only held up may
    wake in the middle of a claim, and make it after it was reaped.
    """
    living = select(runners.c.id)
    freed = {"owner": None, "crash_count": chunks.c.crash_count + 1}
    connection.execute(update(chunks).where(chunks.c.owner.not_in(living)).values(freed))
    broken = and_(jobs.c.state == State.UPLOADING, jobs.c.uploader.not_in(living))
    can_be_resumed = jobs.c.upload_request_id.is_not(None)
    connection.execute(update(jobs).where(broken, ~can_be_resumed).values(state=State.DELETED))
    connection.execute(update(jobs).where(broken, can_be_resumed).values(uploader=None))


def _to_do(chunk: Row[Any]) -> Select[Any, Any, Any]:
    """Position, code points and body of the chunk's items that have no result, in order."""
    settled = and_(results.c.job == items.c.job, results.c.position == items.c.position)
    inside = and_(items.c.job == chunk.job, items.c.position.between(chunk.first, chunk.last))
    query = select(items.c.position, items.c.code_points, items.c.body)
    return query.where(inside, ~exists().where(settled)).order_by(items.c.position)


def _first_item_of(connection: Connection, found: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Cut a chunk, if one was found, down to its first item that has no result; the others become one of their own."""
    for chunk in found:
        positions = [row.position for row in connection.execute(_to_do(chunk))]
        if len(positions) > 1:
            rest = {"first": positions[1], "last": chunk.last, "remaining": len(positions) - 1}
            connection.execute(insert(chunks).values(job=chunk.job, crash_count=chunk.crash_count, **rest))
        one = {"first": positions[0], "last": positions[0], "remaining": 1}
        mine = chunks.c.number == chunk.number
        connection.execute(update(chunks).where(mine).values(one))
        return connection.execute(select(chunks).where(mine)).all()
    return found


def _row(outcome: Outcome, sequence: int) -> dict[str, object]:
    return {
        "job": outcome.item.job,
        "position": outcome.item.position,
        "sequence": sequence,
        "fingerprint": outcome.fingerprint,
        "failed": outcome.failed,
        "reused": outcome.reused,
        "segments": outcome.segments,
        "body": pack(outcome.body),
    }
