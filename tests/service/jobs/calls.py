"""Calls of the job service as tests make them."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from kunnafoni.errors import UnavailableError
from kunnafoni.v1 import job_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    import grpc

    from kunnafoni.client import JobClient
    from kunnafoni.jobs.service import JobService
    from kunnafoni.v1.job_pb2_grpc import JobServiceAsyncStub

    CreateJobCall = grpc.aio.StreamStreamCall[job_pb2.CreateJobRequest, job_pb2.CreateJobResponse]


async def eventually(condition: Callable[[], Awaitable[bool]], timeout_s: float = 60.0) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(timeout_s):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def usable(job_service: JobService) -> None:
    """Wait until the store is open."""

    async def no_error() -> bool:
        return job_service.runner.store_error is None

    await eventually(no_error)


async def done(stub: JobServiceAsyncStub, name: str, items: int) -> job_pb2.Job:
    """Wait until so many items have a result or an error."""
    job = job_pb2.Job()

    async def enough() -> bool:
        job.CopyFrom((await stub.GetJob(job_pb2.GetJobRequest(name=name))).job)
        return job.progress.done_items + job.progress.failed_items >= items

    await eventually(enough)
    return job


def spec(*targets: str, labels: dict[str, str] | None = None) -> job_pb2.JobSpec:
    return job_pb2.JobSpec(
        kind=job_pb2.JOB_KIND_TRANSLATE,
        options=job_pb2.JobOptions(target_language_codes=targets or ("fr",)),
        labels=labels,
    )


def texts(number: int, *, prefix: str = "text") -> list[job_pb2.JobItem]:
    return [job_pb2.JobItem(id=f"id-{i}", text=f"{prefix} {i}") for i in range(number)]


def create_when_ready(client: JobClient, items: list[job_pb2.JobItem]) -> job_pb2.Job:
    """Create a job as soon as the server's store is open."""
    while True:
        try:
            return client.create(spec("fr"), items, request_id="the-job")
        except UnavailableError:
            time.sleep(0.05)


async def requests(
    job_spec: job_pb2.JobSpec, items: Iterable[job_pb2.JobItem], *, request_id: str = "", per_message: int = 100
) -> AsyncIterator[job_pb2.CreateJobRequest]:
    yield job_pb2.CreateJobRequest(spec=job_spec, request_id=request_id)
    rest = list(items)
    for first in range(0, len(rest), per_message):
        yield job_pb2.CreateJobRequest(items=rest[first : first + per_message])
    yield job_pb2.CreateJobRequest(last=True)


async def create(
    stub: JobServiceAsyncStub, items: Iterable[job_pb2.JobItem], *targets: str, request_id: str = ""
) -> job_pb2.Job:
    return (await create_job(stub, requests(spec(*targets), items, request_id=request_id))).job


async def create_job(
    stub: JobServiceAsyncStub, messages: AsyncIterator[job_pb2.CreateJobRequest]
) -> job_pb2.CreateJobResponse:
    """The last answer to a whole call; items are sent once the server has taken the first message."""
    call = stub.CreateJob()
    last = job_pb2.CreateJobResponse()
    async for message in messages:
        await call.write(message)
        if message.HasField("spec"):
            last = await answer_of(call)
    await call.done_writing()
    while not last.HasField("job"):
        last = await answer_of(call)
    return last


async def answer_of(call: CreateJobCall) -> job_pb2.CreateJobResponse:
    """The next answer of a CreateJob call."""
    answer = await call.read()
    assert isinstance(answer, job_pb2.CreateJobResponse), "the call ended without a job"
    return answer


async def wait_for_end(stub: JobServiceAsyncStub, name: str) -> job_pb2.Job:
    job = job_pb2.Job()
    async for answer in stub.WatchJob(job_pb2.WatchJobRequest(name=name)):
        job = answer.job
    return job


async def read(
    stub: JobServiceAsyncStub,
    name: str,
    *,
    order: job_pb2.JobResultOrder.ValueType = job_pb2.JOB_RESULT_ORDER_INPUT,
    offset: int = 0,
    follow: bool = False,
    include_items: bool = False,
) -> list[job_pb2.JobResult]:
    request = job_pb2.ReadJobResultsRequest(
        name=name, order=order, offset=offset, follow=follow, include_items=include_items
    )
    return [result async for answer in stub.ReadJobResults(request) for result in answer.results]


def follow_in_thread(client: JobClient, name: str) -> tuple[threading.Thread, list[job_pb2.JobResult]]:
    """A reader that goes on over restarts, as a user's would."""
    results: list[job_pb2.JobResult] = []

    def follow() -> None:
        while True:
            try:
                results.extend(client.results(name, order=job_pb2.JOB_RESULT_ORDER_COMPLETION, follow=True))
            except UnavailableError:  # gone before the reader came; later its own patience counts
                if results:
                    raise
                time.sleep(0.05)
            else:
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    return thread, results


def assert_each_once(results: list[job_pb2.JobResult], number: int) -> None:
    assert sorted(result.index for result in results) == list(range(number))
    assert all(result.translations[0].text == f"fr:TEXT {result.index}" for result in results)
