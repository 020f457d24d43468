"""Stores the items of a job as they come in, a batch at a time. A job that is being uploaded is seen by nobody else.

What a call with a request id had stored when it broke is kept for a day, and another call may resume it. It knows rows
and bytes, not what a spec or an item says. All of it is blocking.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from kunnafoni.errors import RequestConflictError, UploadTakenOverError
from kunnafoni.jobs.chunking import cut
from kunnafoni.jobs.packing import pack
from kunnafoni.jobs.store import now_ms
from kunnafoni.storage.database import JobStoreError
from kunnafoni.storage.tables import MS_PER_DAY, State, chunks, items, job_labels, jobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement

    from kunnafoni.storage.database import Database

KEPT_DAYS = 1.0


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item as it comes in: its place in the job, its name, its size and everything else as bytes."""

    position: int
    id: str
    code_points: int
    body: bytes


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """What is stored of a job: its number, the token of the call that may add to it, how many items, and a digest."""

    job: int
    token: str
    stored_items: int
    digest: bytes


class DuplicateIdError(Exception):
    """An item has the name of an earlier one of its job; `item` is the later one."""

    def __init__(self, item: NewItem) -> None:
        super().__init__(item)
        self.item = item


class Ingest:
    """Where jobs are stored while they come in."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, spec: bytes, labels: Mapping[str, str], *, uploader: str, request_id: str | None) -> UploadedPart:
        """Start a job.

        Args:
            spec: What the job is.
            labels: Its labels, which are in the spec too.
            uploader: The runner of this server: when it is gone, the call has broken.
            request_id: With it, what is stored is kept when the call breaks; what a broken one has left is dropped.
        """
        token, digest = secrets.token_hex(8), hashlib.blake2b(spec, digest_size=16).digest()
        values = {
            "id": secrets.token_hex(8),
            "spec": spec,
            "digest": digest,
            "state": State.UPLOADING,
            "uploader": uploader,
            "upload_token": token,
            "upload_request_id": request_id,
            "uploaded_ms": now_ms(),
            "created_ms": now_ms(),
        }
        with self._database.write() as connection:
            if request_id:
                left = and_(_is_upload(request_id), jobs.c.uploader.is_(None))
                connection.execute(update(jobs).where(left).values(state=State.DELETED))
            number = connection.execute(insert(jobs).values(values).returning(jobs.c.number)).scalar_one()
            if labels:
                rows = [{"job": number, "key": key, "value": value} for key, value in labels.items()]
                connection.execute(insert(job_labels), rows)
        return UploadedPart(number, token, 0, digest)

    def resume(self, spec: bytes, *, uploader: str, request_id: str) -> UploadedPart | None:
        """Take over what an earlier call with `request_id` has stored, also from one that still runs.

        Returns:
            The largest part that there is; None if there is none.

        Raises:
            RequestConflictError: it is of a job with another spec.
        """
        token = secrets.token_hex(8)
        query = select(jobs.c.number, jobs.c.spec, jobs.c.total_items, jobs.c.digest).where(_is_upload(request_id))
        with self._database.write() as connection:
            row = connection.execute(query.order_by(jobs.c.total_items.desc()).limit(1).with_for_update()).first()
            if row is None:
                return None
            if row.spec != spec:
                raise RequestConflictError(request_id=request_id)
            values = {"uploader": uploader, "upload_token": token, "uploaded_ms": now_ms()}
            connection.execute(update(jobs).where(jobs.c.number == row.number).values(values))
        return UploadedPart(row.number, token, row.total_items, row.digest)

    def add(self, part: UploadedPart, batch: Sequence[NewItem], *, uploader: str, digest: bytes) -> None:
        """Store the next items, in order; `digest` is that of the spec and all items up to the last of them.

        Raises:
            DuplicateIdError: an item has the name of another; none of the batch is stored.
            UploadTakenOverError: another call has resumed the upload; none of the batch is stored.
            JobStoreError: this server was taken for dead, and the upload was dropped.
        """
        rows = [
            {
                "job": part.job,
                "position": item.position,
                "id": item.id,
                "code_points": item.code_points,
                "body": pack(item.body),
            }
            for item in batch
        ]
        ranges = [
            {"job": part.job, "first": first, "last": last, "remaining": last - first + 1}
            for first, last in cut((item.position, item.code_points) for item in batch)
        ]
        try:
            self._change(
                part,
                {
                    "digest": digest,
                    "uploader": uploader,
                    "uploaded_ms": now_ms(),
                    "total_items": jobs.c.total_items + len(batch),
                    "total_code_points": jobs.c.total_code_points + sum(item.code_points for item in batch),
                },
                rows,
                ranges,
            )
        except IntegrityError as error:
            raise DuplicateIdError(self._duplicate(part.job, batch)) from error

    def _duplicate(self, job: int, batch: Sequence[NewItem]) -> NewItem:
        query = select(items.c.id).where(items.c.job == job, items.c.id.in_([item.id for item in batch]))
        with self._database.read() as connection:
            seen = set(connection.execute(query).scalars())
        for item in batch:
            if item.id in seen:
                return item
            seen.add(item.id)
        raise AssertionError("the database found a name twice that is there once")

    def complete(self, part: UploadedPart, *, request_id: str | None) -> None:
        """Make the job visible and open to runners.

        Raises:
            RequestConflictError: another job has got the request id meanwhile; this one is dropped.
            UploadTakenOverError, JobStoreError: as for `add`.
        """
        # A new job starts level with the others, not before all of them.
        last_claim = select(func.max(jobs.alias().c.last_claim)).scalar_subquery()
        values = {
            "state": State.QUEUED,
            "uploader": None,
            "upload_token": None,
            "upload_request_id": None,
            "request_id": request_id,
            "last_claim": last_claim,
        }
        try:
            self._change(part, values)
        except IntegrityError as error:
            self.abandon(part)
            raise RequestConflictError(request_id=request_id) from error

    def _change(
        self,
        part: UploadedPart,
        values: dict[str, Any],
        new_items: list[dict[str, Any]] | None = None,
        new_chunks: list[dict[str, Any]] | None = None,
    ) -> None:
        """Change the job if the upload is still this call's, and add rows to it in the same transaction."""
        with self._database.write() as connection:
            changed = connection.execute(update(jobs).where(_is_of(part)).values(values)).rowcount
            if changed and new_items and new_chunks:
                connection.execute(insert(items), new_items)
                connection.execute(insert(chunks), new_chunks)
            token = connection.execute(select(jobs.c.upload_token).where(jobs.c.number == part.job)).scalar()
        if not changed:
            if token != part.token:
                raise UploadTakenOverError
            problem = "this server was taken for dead while it received the job; send it again"
            raise JobStoreError(store=self._database.name, problem=problem)

    def interrupt(self, part: UploadedPart) -> None:
        """Note that the call has broken: what it has stored is kept for another one to resume."""
        with self._database.write() as connection:
            connection.execute(update(jobs).where(_is_of(part)).values(uploader=None))

    def abandon(self, part: UploadedPart) -> None:
        """Drop a job that will not be completed; its rows are cleared away later."""
        with self._database.write() as connection:
            connection.execute(update(jobs).where(_is_of(part)).values(state=State.DELETED))

    def expire(self, *, days: float = KEPT_DAYS) -> int:
        """Drop what broken calls have left more than `days` days ago; the number of such parts."""
        horizon_ms = now_ms() - round(days * MS_PER_DAY)
        old = and_(jobs.c.state == State.UPLOADING, jobs.c.uploader.is_(None), jobs.c.uploaded_ms < horizon_ms)
        with self._database.write() as connection:
            return connection.execute(update(jobs).where(old).values(state=State.DELETED)).rowcount

    def find_request(self, request_id: str) -> tuple[str, bytes, bytes] | None:
        """Identifier, spec and digest of the job that a request id has made; None if there is none."""
        query = select(jobs.c.id, jobs.c.spec, jobs.c.digest).where(jobs.c.request_id == request_id)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row.id, row.spec, row.digest)

    def id_of(self, job: int) -> str:
        """Identifier of the job with this number."""
        with self._database.read() as connection:
            return connection.execute(select(jobs.c.id).where(jobs.c.number == job)).scalar_one()


def _is_upload(request_id: str) -> ColumnElement[bool]:
    return and_(jobs.c.upload_request_id == request_id, jobs.c.state == State.UPLOADING)


def _is_of(part: UploadedPart) -> ColumnElement[bool]:
    return and_(jobs.c.number == part.job, jobs.c.state == State.UPLOADING, jobs.c.upload_token == part.token)
