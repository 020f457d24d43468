"""One CreateJob call: takes the stream in piece by piece, each stored before the next is read."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from kunnafoni.errors import InvalidInputError, RequestConflictError
from kunnafoni.jobs.ingest import DuplicateIdError, NewItem
from kunnafoni.rpc.job_options import check_item, check_request_id, check_spec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kunnafoni.jobs.service import JobService
    from kunnafoni.rpc.requests import Limits
    from kunnafoni.v1 import job_pb2

# A transaction each: large enough to cost little an item, small enough to be nothing in memory.
BATCH_ITEMS = 2_000
BATCH_CODE_POINTS = 1_000_000


class Reception:
    """Receives one job; what it holds never grows beyond a batch."""

    def __init__(self, job_service: JobService, limits: Limits) -> None:
        self._job_service = job_service
        self._limits = limits
        self._digest = hashlib.blake2b(digest_size=16)
        self._batch: list[NewItem] = []
        self._batch_code_points = 0
        self._items = 0
        self._job: int | None = None

    async def receive(self, requests: AsyncIterator[job_pb2.CreateJobRequest]) -> tuple[str, bool]:
        """Take the whole stream in; the identifier of the job, and whether an earlier call made it.

        Raises:
            InvalidInputError: spec or an item is wrong; nothing is kept.
            RequestConflictError: the request id was used for another job; nothing is kept.
            JobStoreError: the job cannot be stored; nothing is kept.
        """
        first = await anext(aiter(requests), None)
        if first is None or not first.HasField("spec"):
            raise InvalidInputError("spec", "is absent from the first message")
        check_spec(first.spec, self._limits)
        request_id = check_request_id(first.request_id)
        self._update_digest(first.spec.SerializeToString(deterministic=True))
        earlier = await asyncio.to_thread(self._job_service.inbox.find_request, request_id) if request_id else None
        if earlier is None:
            owner = self._job_service.runner.leases.owner
            spec = first.spec.SerializeToString(deterministic=True)
            self._job = await asyncio.to_thread(self._job_service.inbox.begin, spec, receiver=owner)
        try:
            await self._take_all(first, requests)
        except BaseException:
            if self._job is not None:
                # Shielded: the call may have been cancelled, and the rows should go now, not when this server ends.
                await asyncio.shield(asyncio.to_thread(self._job_service.inbox.abandon, self._job))
            raise
        return await self._complete(request_id, earlier)

    async def _complete(self, request_id: str | None, earlier: tuple[str, bytes] | None) -> tuple[str, bool]:
        digest = self._digest.digest()
        if self._job is not None:
            try:
                complete = self._job_service.inbox.complete
                await asyncio.to_thread(complete, self._job, request_id=request_id, digest=digest)
                return await asyncio.to_thread(self._job_service.inbox.id_of, self._job), False
            except RequestConflictError:  # two calls with one request id at the same time: the other was quicker
                earlier = await asyncio.to_thread(self._job_service.inbox.find_request, request_id or "")
        if earlier is None or earlier[1] != digest:
            raise RequestConflictError(request_id=request_id)
        return earlier[0], True

    async def _take_all(self, first: job_pb2.CreateJobRequest, others: AsyncIterator[job_pb2.CreateJobRequest]) -> None:
        await self._take(first, first.spec.kind)
        async for request in others:
            if request.HasField("spec"):
                raise InvalidInputError("spec", "is in a message that is not the first")
            await self._take(request, first.spec.kind)
        await self._store()
        if not self._items:
            raise InvalidInputError("items", "is empty in every message; send at least one item")

    async def _take(self, request: job_pb2.CreateJobRequest, kind: job_pb2.JobKind.ValueType) -> None:
        for item in request.items:
            code_points = check_item(item, kind, self._limits, f"items[{self._items}]")
            name = item.id or str(self._items)
            item.ClearField("id")  # it has a column of its own
            body = item.SerializeToString(deterministic=True)
            self._update_digest(name.encode())
            self._update_digest(body)
            self._batch.append(NewItem(self._items, name, code_points, body))
            self._batch_code_points += code_points
            self._items += 1
            if len(self._batch) >= BATCH_ITEMS or self._batch_code_points >= BATCH_CODE_POINTS:
                await self._store()

    async def _store(self) -> None:
        batch, self._batch, self._batch_code_points = self._batch, [], 0
        if self._job is None or not batch:
            return
        try:
            await asyncio.to_thread(self._job_service.inbox.add, self._job, batch)
        except DuplicateIdError as error:
            field = f"items[{error.item.position}].id"
            raise InvalidInputError(field, "is that of an earlier item of the job") from error

    def _update_digest(self, data: bytes) -> None:
        self._digest.update(len(data).to_bytes(8, "big"))
        self._digest.update(data)
