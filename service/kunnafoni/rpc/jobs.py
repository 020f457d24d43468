"""JobService: message -> values, call, values -> message. The store is asked in threads, never on the event loop."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from kunnafoni.errors import InvalidInputError
from kunnafoni.jobs.progress import RateMeter
from kunnafoni.rpc.job_messages import STATES, job_message, result_message
from kunnafoni.rpc.job_requests import check_labels, job_id_of
from kunnafoni.rpc.job_upload import receive
from kunnafoni.rpc.page_tokens import page_token, read_page_token, wrong_page_token
from kunnafoni.rpc.requests import check_page_size, not_known
from kunnafoni.storage.tables import ENDED
from kunnafoni.v1 import job_pb2, job_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    import grpc

    from kunnafoni.jobs.progress import Rate
    from kunnafoni.jobs.results import StoredResult
    from kunnafoni.jobs.service import JobService
    from kunnafoni.jobs.store import JobRow
    from kunnafoni.rpc.requests import Limits

    Context = grpc.aio.ServicerContext[Any, Any]

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 100, 1000
# The shortest time between two messages to a watcher, and the longest until it is told what other servers have stored.
WATCH_PAUSE_S, WATCH_EVERY_S = 0.1, 0.5
# The longest time between two messages to a watcher, so that proxies in between do not close the call.
WATCH_KEEPALIVE_S = 15.0
FOLLOW_EVERY_S = 0.25
RESULTS_PER_PAGE = 500
MAX_RESULTS_BYTES = 1_000_000
_JOB_NUMBER = re.compile(r"[0-9]{1,18}")  # as many digits as the integers of every database hold


class JobServicer(job_pb2_grpc.JobServiceServicer):
    """Serves `job.proto`."""

    def __init__(self, job_service: JobService, limits: Limits, *, expiry_days: float) -> None:
        self._job_service = job_service
        self._limits = limits
        self._expiry_days = expiry_days

    async def CreateJob(  # noqa: N802 - the names of RPCs are the wire's
        self,
        request_iterator: AsyncIterator[job_pb2.CreateJobRequest],
        context: Context,  # noqa: ARG002 - the signature is gRPC's
    ) -> AsyncIterator[job_pb2.CreateJobResponse]:
        """See the proto."""
        await self._job_service.check()
        async with aclosing(receive(request_iterator, self._job_service, self._limits)) as received:
            async for part in received:
                answer = job_pb2.CreateJobResponse(stored_items=part.stored_items, already_created=part.already_created)
                if part.job_id:
                    self._job_service.runner.wake()
                    job = await asyncio.to_thread(self._job_service.store.get, part.job_id)
                    answer.stored_items = job.total_items
                    answer.job.CopyFrom(self._message(job))
                yield answer

    async def GetJob(self, request: job_pb2.GetJobRequest, context: Context) -> job_pb2.GetJobResponse:  # noqa: N802, ARG002
        """See the proto."""
        await self._job_service.check()
        job = await asyncio.to_thread(self._job_service.store.get, job_id_of(request.name))
        return job_pb2.GetJobResponse(job=self._message(job))

    async def ListJobs(self, request: job_pb2.ListJobsRequest, context: Context) -> job_pb2.ListJobsResponse:  # noqa: N802, ARG002
        """See the proto."""
        await self._job_service.check()
        check_page_size(request.page_size, MAX_PAGE_SIZE)
        if request.state not in (job_pb2.JOB_STATE_UNSPECIFIED, *STATES.values()):
            raise not_known("state", request.state)
        size = min(request.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        labels = dict(request.labels)
        check_labels(labels, "labels")
        filters = {"state": request.state, "labels": sorted(labels.items())}
        cursor = read_page_token(request.page_token, **filters)
        found = await asyncio.to_thread(
            self._job_service.store.list,
            before=_number(cursor),
            limit=size + 1,
            state=next((state for state, wire in STATES.items() if wire == request.state), None),
            labels=labels,
        )
        answer = job_pb2.ListJobsResponse(jobs=[self._message(job) for job in found[:size]])
        if len(found) > size:
            answer.next_page_token = page_token(str(found[size - 1].number), **filters)
        return answer

    async def CancelJob(self, request: job_pb2.CancelJobRequest, context: Context) -> job_pb2.CancelJobResponse:  # noqa: N802, ARG002
        """See the proto."""
        await self._job_service.check()
        job = await asyncio.to_thread(self._job_service.store.cancel, job_id_of(request.name))
        self._job_service.runner.wake()
        return job_pb2.CancelJobResponse(job=self._message(job))

    async def RetryJob(self, request: job_pb2.RetryJobRequest, context: Context) -> job_pb2.RetryJobResponse:  # noqa: N802, ARG002
        """See the proto."""
        await self._job_service.check()
        job = await asyncio.to_thread(self._job_service.store.retry, job_id_of(request.name))
        self._job_service.runner.wake()
        return job_pb2.RetryJobResponse(job=self._message(job))

    async def WatchJob(  # noqa: N802
        self,
        request: job_pb2.WatchJobRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[job_pb2.WatchJobResponse]:
        """See the proto."""
        meter, before, sent_s = RateMeter(), None, 0.0
        while True:
            await self._job_service.check()
            job = await asyncio.to_thread(self._job_service.store.get, job_id_of(request.name))
            rate = meter.look(job)
            if job != before or time.monotonic() - sent_s > WATCH_KEEPALIVE_S:
                yield job_pb2.WatchJobResponse(job=self._message(job, rate))
                before, sent_s = job, time.monotonic()
            if job.state in ENDED:
                return
            await asyncio.sleep(WATCH_PAUSE_S)
            await self._job_service.runner.progress(WATCH_EVERY_S - WATCH_PAUSE_S)

    async def ReadJobResults(  # noqa: N802
        self,
        request: job_pb2.ReadJobResultsRequest,
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[job_pb2.ReadJobResultsResponse]:
        """See the proto."""
        offset = request.offset
        if offset < 0:
            raise InvalidInputError(
                "offset",
                f"is {offset}; give 0 or a `next_offset`",
                french=f"vaut {offset} ; donnez 0 ou un `next_offset`",
            )
        if request.order not in job_pb2.JobResultOrder.values():
            raise not_known("order", request.order)
        while True:
            await self._job_service.check()
            # The state is read before the page: results that come between are found by the next look.
            job = await asyncio.to_thread(self._job_service.store.get, job_id_of(request.name))
            page = await asyncio.to_thread(self._read, job, request, offset)
            for part in _parts(page):
                offset = part[-1].next_offset
                yield job_pb2.ReadJobResultsResponse(results=map(result_message, part), next_offset=offset)
            if not page:
                if job.state in ENDED or not request.follow:
                    return
                await asyncio.sleep(FOLLOW_EVERY_S)

    async def DeleteJob(self, request: job_pb2.DeleteJobRequest, context: Context) -> job_pb2.DeleteJobResponse:  # noqa: N802, ARG002
        """See the proto."""
        await self._job_service.check()
        await asyncio.to_thread(self._job_service.store.delete, job_id_of(request.name))
        return job_pb2.DeleteJobResponse()

    def _message(self, job: JobRow, rate: Rate | None = None) -> job_pb2.Job:
        return job_message(job, expiry_days=self._expiry_days, rate=rate)

    def _read(self, job: JobRow, request: job_pb2.ReadJobResultsRequest, offset: int) -> list[StoredResult]:
        results = self._job_service.results_with_items if request.include_items else self._job_service.results
        if request.order == job_pb2.JOB_RESULT_ORDER_COMPLETION:
            return results.in_completion_order(job, offset=offset, limit=RESULTS_PER_PAGE)
        return results.in_input_order(job, offset=offset, limit=RESULTS_PER_PAGE)


def _number(cursor: str | None) -> int | None:
    """The number of the job that a page token leads behind; None from the beginning."""
    if cursor is None:
        return None
    if not _JOB_NUMBER.fullmatch(cursor):  # the digest of a token is no secret: anybody can make one up
        raise wrong_page_token()
    return int(cursor)


def _parts(page: Sequence[StoredResult]) -> Iterator[list[StoredResult]]:
    """Cut a page into messages that are not too large for any client, unless a single result is."""
    part: list[StoredResult] = []
    size = 0
    for result in page:
        result_size = len(result.body) + len(result.item or b"")
        if part and size + result_size > MAX_RESULTS_BYTES:
            yield part
            part, size = [], 0
        part.append(result)
        size += result_size
    if part:
        yield part
