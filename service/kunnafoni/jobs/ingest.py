"""Takes jobs in, a batch of items at a time. A job that is still being received is seen by nobody else.

It knows rows and bytes, not what a spec or an item says. All of it is blocking.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from kunnafoni.errors import RequestConflictError
from kunnafoni.jobs.chunking import cut
from kunnafoni.jobs.packing import pack
from kunnafoni.storage.database import JobStoreError
from kunnafoni.storage.tables import State, chunks, items, jobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni.storage.database import Database


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item as it comes in: its place in the job, its name, its size and everything else as bytes."""

    position: int
    id: str
    code_points: int
    body: bytes


class DuplicateIdError(Exception):
    """An item has the name of an earlier one of its job; `item` is the later one."""

    def __init__(self, item: NewItem) -> None:
        super().__init__(item)
        self.item = item


class Inbox:
    """Where jobs come in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, spec: bytes, *, receiver: str) -> int:
        """Start a job and return its number. `receiver` is the runner of this server: if it dies, the job goes too."""
        values = {
            "id": secrets.token_hex(8),
            "spec": spec,
            "state": State.RECEIVING,
            "receiver": receiver,
            "created_ms": time.time_ns() // 1_000_000,
        }
        with self._database.write() as connection:
            return connection.execute(insert(jobs).values(values).returning(jobs.c.number)).scalar_one()

    def add(self, job: int, batch: Sequence[NewItem]) -> None:
        """Store the next items, in order.

        Raises:
            DuplicateIdError: an item has the name of another; none of the batch is stored.
        """
        rows = [
            {
                "job": job,
                "position": item.position,
                "id": item.id,
                "code_points": item.code_points,
                "body": pack(item.body),
            }
            for item in batch
        ]
        ranges = [
            {"job": job, "first": first, "last": last, "remaining": last - first + 1}
            for first, last in cut((item.position, item.code_points) for item in batch)
        ]
        try:
            with self._database.write() as connection:
                connection.execute(insert(items), rows)
                connection.execute(insert(chunks), ranges)
                connection.execute(
                    update(jobs)
                    .where(jobs.c.number == job)
                    .values(
                        total_items=jobs.c.total_items + len(batch),
                        total_code_points=jobs.c.total_code_points + sum(item.code_points for item in batch),
                    )
                )
        except IntegrityError as error:
            raise DuplicateIdError(self._duplicate(job, batch)) from error

    def _duplicate(self, job: int, batch: Sequence[NewItem]) -> NewItem:
        query = select(items.c.id).where(items.c.job == job, items.c.id.in_([item.id for item in batch]))
        with self._database.read() as connection:
            seen = set(connection.execute(query).scalars())
        for item in batch:
            if item.id in seen:
                return item
            seen.add(item.id)
        raise AssertionError("the database found a name twice that is there once")

    def complete(self, job: int, *, request_id: str | None, digest: bytes) -> None:
        """Make the job visible and open to runners.

        Raises:
            JobStoreError: the receiver was taken for dead meanwhile.
            RequestConflictError: another job has taken the request id meanwhile; this one is dropped.
        """
        values = {"state": State.RUNNING, "receiver": None, "request_id": request_id, "digest": digest}
        try:
            with self._database.write() as connection:
                # A new job starts level with the others, not before all of them.
                last_turn = select(func.max(jobs.alias().c.turn)).scalar_subquery()
                received = and_(jobs.c.number == job, jobs.c.state == State.RECEIVING)
                made = connection.execute(update(jobs).where(received).values(values | {"turn": last_turn})).rowcount
        except IntegrityError as error:
            self.abandon(job)
            raise RequestConflictError(request_id=request_id) from error
        if not made:
            problem = "this server was taken for dead while it received the job; send it again"
            raise JobStoreError(store=self._database.name, problem=problem)

    def abandon(self, job: int) -> None:
        """Drop a job that will not be completed; its rows are cleared away later."""
        with self._database.write() as connection:
            connection.execute(
                update(jobs).where(jobs.c.number == job, jobs.c.state == State.RECEIVING).values(state=State.DELETED)
            )

    def find_request(self, request_id: str) -> tuple[str, bytes] | None:
        """Identifier and digest of the job that a request id made, or None."""
        with self._database.read() as connection:
            row = connection.execute(select(jobs.c.id, jobs.c.digest).where(jobs.c.request_id == request_id)).first()
        return None if row is None else (row.id, row.digest)

    def id_of(self, job: int) -> str:
        """Identifier of the job with this number."""
        with self._database.read() as connection:
            return connection.execute(select(jobs.c.id).where(jobs.c.number == job)).scalar_one()
