"""One call that takes a job in: batches of items, each stored before more are read, and what happens when it breaks."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from kunnafoni.errors import InvalidInputError, KunnafoniError, RequestConflictError
from kunnafoni.jobs.ingest import DuplicateIdError, NewItem
from kunnafoni.storage.database import JobStoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from kunnafoni.jobs.ingest import Ingest, UploadedPart
    from kunnafoni.jobs.leases import Leases

# One transaction per batch: large enough to cost little per item, small enough to need little memory.
BATCH_ITEMS = 2_000
BATCH_CODE_POINTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRequest:
    """What is uploaded, without its items.

    Attributes:
        spec: What the job is.
        labels: Its labels, which are in the spec too.
        request_id: Makes the call safe to repeat; None if it is not.
        resume: Whether to go on from what an earlier call with `request_id` has left.
    """

    spec: bytes
    labels: Mapping[str, str]
    request_id: str | None
    resume: bool = False


class Upload:
    """Enter it, `add` every item, `complete` it, leave it. What it holds in memory never grows beyond a batch.

    Left before it is complete, it is dropped if what was sent is wrong or if it has no request id; else what is stored
    is kept for another call to resume.

    Attributes:
        created_id: Identifier of the job, if it exists already and is asked to resume; None otherwise.
    """

    def __init__(self, ingest: Ingest, leases: Leases, request: UploadRequest) -> None:
        self._ingest = ingest
        self._leases = leases
        self._request = request
        self._earlier: tuple[str, bytes, bytes] | None = None
        self._part: UploadedPart | None = None
        self._digest = hashlib.blake2b(request.spec, digest_size=16).digest()
        self._batch: list[NewItem] = []
        self._batch_code_points = 0
        self._items = 0
        self._completed = self._broken = False
        self._adding: asyncio.Future[None] | None = None
        self.created_id: str | None = None

    @property
    def items(self) -> int:
        """How many items have been taken, also by the calls that this one resumes: the place of the next."""
        return self._items

    @property
    def stored_items(self) -> int:
        """How many of them are stored, or known if the job exists already."""
        return self._items - len(self._batch)

    async def __aenter__(self) -> Self:
        """Find what there is already, or begin.

        Raises:
            RequestConflictError: the request id has been used with another spec.
        """
        request_id, spec, labels = self._request.request_id, self._request.spec, self._request.labels
        if request_id:
            self._earlier = await asyncio.to_thread(self._ingest.find_request, request_id)
        if self._earlier is not None:
            job_id, earlier_spec, _ = self._earlier
            if earlier_spec != spec:
                raise RequestConflictError(request_id=request_id)
            self.created_id = job_id if self._request.resume else None
            return self
        uploader = self._leases.owner
        if request_id and self._request.resume:
            self._part = await asyncio.to_thread(self._ingest.resume, spec, uploader=uploader, request_id=request_id)
        if self._part is None:
            self._part = await asyncio.to_thread(
                self._ingest.begin, spec, labels, uploader=uploader, request_id=request_id
            )
        self._items, self._digest = self._part.stored_items, self._part.digest
        return self

    async def add(self, item: NewItem) -> bool:
        """Take the next item; whether items were stored now.

        Raises:
            InvalidInputError: it, or another of the batch, has the name of an earlier item.
            UploadTakenOverError: another call has resumed this upload.
            JobStoreError: it cannot be stored.
        """
        self._digest = _extended(self._digest, item)
        self._batch.append(item)
        self._batch_code_points += item.code_points
        self._items += 1
        if len(self._batch) < BATCH_ITEMS and self._batch_code_points < BATCH_CODE_POINTS:
            return False
        await self._store()
        return True

    def break_off(self) -> None:
        """Note that the stream of items has ended too early: whatever error follows, what is stored may be resumed."""
        self._broken = True

    async def complete(self) -> tuple[str, bool]:
        """Create the job; its identifier, and whether an earlier call had created it.

        Raises:
            InvalidInputError: there are no items.
            RequestConflictError: the request id has been used for another job.
            UploadTakenOverError, JobStoreError: as for `add`.
        """
        await self._store()
        if not self._items:
            raise InvalidInputError(
                "items",
                "is empty in every message; send at least one item",
                french="est vide dans chaque message ; envoyez au moins un élément",
            )
        request_id = self._request.request_id
        if self._part is not None:
            try:
                await asyncio.to_thread(self._ingest.complete, self._part, request_id=request_id)
                self._completed = True
                return await asyncio.to_thread(self._ingest.id_of, self._part.job), False
            except RequestConflictError:  # two calls with one request id at the same time: the other was quicker
                self._earlier = await asyncio.to_thread(self._ingest.find_request, request_id or "")
        if self._earlier is None or self._earlier[2] != self._digest:
            raise RequestConflictError(request_id=request_id)
        return self._earlier[0], True

    async def __aexit__(
        self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._part is None or self._completed or error is None:
            return
        wrong = isinstance(error, KunnafoniError) and not isinstance(error, JobStoreError)
        keep = self._request.request_id is not None and (self._broken or not wrong)
        # Shielded: the call may have been cancelled, and this should be done now, not when this server ends.
        await asyncio.shield(self._leave(self._part, keep=keep))

    async def _leave(self, part: UploadedPart, *, keep: bool) -> None:
        if self._adding:
            await asyncio.gather(self._adding, return_exceptions=True)
        if keep:
            with suppress(KunnafoniError):
                await self._store()
        # If the store is away, the call counts as broken all the same: when this runner is gone.
        with suppress(JobStoreError):
            await asyncio.to_thread(self._ingest.interrupt if keep else self._ingest.abandon, part)

    async def _store(self) -> None:
        batch, self._batch, self._batch_code_points = self._batch, [], 0
        if self._part is None or not batch:
            return
        adding = asyncio.to_thread(
            self._ingest.add, self._part, batch, uploader=self._leases.owner, digest=self._digest
        )
        self._adding = asyncio.ensure_future(adding)
        try:
            await asyncio.shield(self._adding)  # a thread cannot be cancelled: whoever leaves waits for it
        except DuplicateIdError as error:
            field = f"items[{error.item.position}].id"
            raise InvalidInputError(
                field, "is that of an earlier item of the job", french="est celui d'un élément précédent du travail"
            ) from error
        self._part = replace(self._part, stored_items=self._items)


def _extended(digest: bytes, item: NewItem) -> bytes:
    """The digest of all items up to `item`, from that of those before it."""
    name = item.id.encode()
    return hashlib.blake2b(digest + len(name).to_bytes(8, "big") + name + item.body, digest_size=16).digest()
