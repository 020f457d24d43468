"""JobService: message -> values, call, values -> message. The store is asked in threads, never on the event loop."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from kunnafoni.errors import InvalidInputError
from kunnafoni.rpc.job_reception import Reception
from kunnafoni.rpc.job_values import STATES, RateMeter, job_message, result_message
from kunnafoni.storage.tables import ENDED
from kunnafoni.v1 import job_pb2, job_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    import grpc

    from kunnafoni.jobs.results import StoredResult
    from kunnafoni.jobs.service import JobService
    from kunnafoni.jobs.store import JobRow
    from kunnafoni.rpc.job_values import Rate
    from kunnafoni.rpc.requests import Limits

    Context = grpc.aio.ServicerContext[Any, Any]

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 100, 1000
# A watcher hears at most so often, and of what other servers store so late at most.
WATCH_PAUSE_S, WATCH_EVERY_S = 0.1, 0.5
# A watcher hears something at least so often, so that proxies between do not close the call.
WATCH_SIGN_OF_LIFE_S = 15.0
FOLLOW_EVERY_S = 0.25
RESULTS_A_PAGE = 500
MAX_RESULTS_BYTES = 1_000_000
# As many as every database's integers have.
MAX_TOKEN_DIGITS = 18


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
    ) -> job_pb2.CreateJobResponse:
        """See the proto."""
        await self._job_service.check()
        job_id, already_created = await Reception(self._job_service, self._limits).receive(request_iterator)
        self._job_service.runner.wake()
        job = await asyncio.to_thread(self._job_service.store.get, job_id)
        return job_pb2.CreateJobResponse(job=self._message(job), already_created=already_created)

    async def GetJob(self, request: job_pb2.GetJobRequest, context: Context) -> job_pb2.GetJobResponse:  # noqa: N802, ARG002
        """See the proto."""
        await self._job_service.check()
        job = await asyncio.to_thread(self._job_service.store.get, request.job_id)
        return job_pb2.GetJobResponse(job=self._message(job))

    async def ListJobs(self, request: job_pb2.ListJobsRequest, context: Context) -> job_pb2.ListJobsResponse:  # noqa: N802, ARG002
        """See the proto."""
        await self._job_service.check()
        if request.page_size < 0:
            raise InvalidInputError("page_size", f"is {request.page_size}; 1 to {MAX_PAGE_SIZE} are taken, 0 is 100")
        if request.state not in (job_pb2.JOB_STATE_UNSPECIFIED, *STATES.values()):
            raise InvalidInputError("state", f"is {request.state}, which is no JobState")
        size = min(request.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
        found, more = await asyncio.to_thread(self._page, request, size)
        answer = job_pb2.ListJobsResponse(jobs=[self._message(job) for job in found])
        if more:
            answer.next_page_token = str(found[-1].number)
        return answer

    async def CancelJob(self, request: job_pb2.CancelJobRequest, context: Context) -> job_pb2.CancelJobResponse:  # noqa: N802, ARG002
        """See the proto."""
        await self._job_service.check()
        job = await asyncio.to_thread(self._job_service.store.cancel, request.job_id)
        return job_pb2.CancelJobResponse(job=self._message(job))

    async def RetryJob(self, request: job_pb2.RetryJobRequest, context: Context) -> job_pb2.RetryJobResponse:  # noqa: N802, ARG002
        """See the proto."""
        await self._job_service.check()
        job = await asyncio.to_thread(self._job_service.store.retry, request.job_id)
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
            job = await asyncio.to_thread(self._job_service.store.get, request.job_id)
            rate = meter.look(job)
            if job != before or time.monotonic() - sent_s > WATCH_SIGN_OF_LIFE_S:
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
            raise InvalidInputError("offset", f"is {offset}; give 0 or a `next_offset`")
        if request.order not in job_pb2.JobResultOrder.values():
            raise InvalidInputError("order", f"is {request.order}, which is no JobResultOrder")
        while True:
            await self._job_service.check()
            # The state is read before the page: results that come between are found by the next look.
            job = await asyncio.to_thread(self._job_service.store.get, request.job_id)
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
        await asyncio.to_thread(self._job_service.store.delete, request.job_id)
        return job_pb2.DeleteJobResponse()

    def _message(self, job: JobRow, rate: Rate | None = None) -> job_pb2.Job:
        return job_message(job, expiry_days=self._expiry_days, rate=rate)

    def _read(self, job: JobRow, request: job_pb2.ReadJobResultsRequest, offset: int) -> list[StoredResult]:
        results = self._job_service.results_with_items if request.include_items else self._job_service.results
        if request.order == job_pb2.JOB_RESULT_ORDER_COMPLETION:
            return results.in_completion_order(job, offset=offset, limit=RESULTS_A_PAGE)
        return results.in_input_order(job, offset=offset, limit=RESULTS_A_PAGE)

    def _page(self, request: job_pb2.ListJobsRequest, size: int) -> tuple[list[JobRow], bool]:
        """The jobs of a page, and whether there are more."""
        before = _page_token(request.page_token)
        state = next((state for state, wire in STATES.items() if wire == request.state), None)
        found: list[JobRow] = []
        while len(found) <= size:
            rows = self._job_service.store.list(before=before, limit=MAX_PAGE_SIZE, state=state)
            found.extend(row for row in rows if _has_labels(row, request))
            if len(rows) < MAX_PAGE_SIZE:
                break
            before = rows[-1].number
        return found[:size], len(found) > size


def _page_token(token: str) -> int | None:
    if not token:
        return None
    if not (token.isdecimal() and len(token) <= MAX_TOKEN_DIGITS):
        raise InvalidInputError("page_token", "is not a `next_page_token`")
    return int(token)


def _has_labels(job: JobRow, request: job_pb2.ListJobsRequest) -> bool:
    if not request.labels:
        return True
    labels = job_pb2.JobSpec.FromString(job.spec).labels
    return all(labels.get(key) == value for key, value in request.labels.items())


def _parts(page: Sequence[StoredResult]) -> Iterator[list[StoredResult]]:
    """Cut a page into messages that no client finds too large, but for single results that are."""
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
