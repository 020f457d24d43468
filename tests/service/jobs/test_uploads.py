"""Uploads that break: nobody sees half a job, and with a request id nothing is sent twice."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from typing import TYPE_CHECKING

import grpc
import pytest

from kunnafoni.client import JobClient
from kunnafoni.errors import UnavailableError, UploadLostError
from kunnafoni.v1 import job_pb2
from tests.conftest import until
from tests.service.jobs.calls import (
    answer_of,
    assert_each_once,
    create,
    create_job,
    create_when_ready,
    eventually,
    read,
    requests,
    spec,
    texts,
    wait_for_end,
)
from tests.service.jobs.job_server import CapitalsWork, serve
from tests.service.jobs.proxy import proxy_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.v1.job_pb2_grpc import JobServiceAsyncStub
    from tests.service.jobs.job_process import JobProcess

FIRST = job_pb2.CreateJobRequest(spec=spec("fr"), request_id="feed")
RESUMING = job_pb2.CreateJobRequest(spec=spec("fr"), request_id="feed", resume=True)
BATCH = 2000


async def broken(stub: JobServiceAsyncStub, items: list[job_pb2.JobItem]) -> int:
    """A call that breaks after some items; how many the server had said to have stored."""
    call = stub.CreateJob()
    await call.write(FIRST)
    assert (await answer_of(call)).stored_items == 0
    await call.write(job_pb2.CreateJobRequest(items=items))
    stored = (await answer_of(call)).stored_items
    call.cancel()
    return stored


async def resumed(stub: JobServiceAsyncStub, items: list[job_pb2.JobItem]) -> tuple[int, job_pb2.Job]:
    """A call that goes on from where a broken one was: where that is, and the job."""
    call = stub.CreateJob()
    await call.write(RESUMING)
    stored = (await answer_of(call)).stored_items
    await call.write(job_pb2.CreateJobRequest(items=items[stored:], last=True))
    await call.done_writing()
    while not (last := await answer_of(call)).HasField("job"):
        pass
    return stored, last.job


async def test_what_a_broken_call_has_sent_need_not_be_sent_again(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        items = texts(BATCH + 500)
        assert await broken(running.stub, items[: BATCH + 300]) == BATCH
        assert not (await running.stub.ListJobs(job_pb2.ListJobsRequest())).jobs

        async def all_is_stored() -> bool:  # also what was on its way when the call broke
            call = running.stub.CreateJob()
            await call.write(RESUMING)
            stored = (await answer_of(call)).stored_items
            call.cancel()
            return stored == BATCH + 300

        await eventually(all_is_stored)
        stored, job = await resumed(running.stub, items)
        assert stored == BATCH + 300
        assert job.progress.total_items == len(items)
        await wait_for_end(running.stub, job.name)
        assert_each_once(await read(running.stub, job.name), len(items))
        again = await create_job(running.stub, requests(spec("fr"), items, request_id="feed"))
        assert (again.job.name, again.already_created) == (job.name, True), "it counts as the same job"


async def test_resuming_what_exists_already_answers_with_the_job_at_once(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        job = await create(running.stub, texts(3), request_id="feed")
        call = running.stub.CreateJob()
        await call.write(RESUMING)
        answer = await answer_of(call)
        assert (answer.job.name, answer.already_created) == (job.name, True)
        assert await call.read() is grpc.aio.EOF


async def test_resuming_takes_the_upload_from_a_call_that_still_runs(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        items = texts(2 * BATCH)
        hanging = running.stub.CreateJob()
        await hanging.write(FIRST)
        await answer_of(hanging)
        await hanging.write(job_pb2.CreateJobRequest(items=items[:BATCH]))
        assert (await answer_of(hanging)).stored_items == BATCH
        stored, job = await resumed(running.stub, items)
        assert stored == BATCH
        await hanging.write(job_pb2.CreateJobRequest(items=items[BATCH:]))
        with pytest.raises(grpc.aio.AioRpcError, match="Another call has resumed") as error:
            await hanging.read()
        assert error.value.code() is grpc.StatusCode.ABORTED
        await wait_for_end(running.stub, job.name)
        assert_each_once(await read(running.stub, job.name), len(items))


async def test_a_call_that_does_not_resume_begins_anew(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        assert await broken(running.stub, texts(BATCH)) == BATCH
        other = await create(running.stub, texts(10, prefix="other"), request_id="feed")
        assert other.progress.total_items == 10


async def test_what_broken_calls_have_left_goes_after_a_while(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        assert await broken(running.stub, texts(BATCH)) == BATCH
        ingest = running.job_service.ingest

        async def one_has_expired() -> bool:
            return await asyncio.to_thread(ingest.expire, days=-1) == 1

        assert await asyncio.to_thread(ingest.expire) == 0
        await eventually(one_has_expired)
        stored, job = await resumed(running.stub, texts(10))
        assert (stored, job.progress.total_items) == (0, 10)


async def test_a_stream_that_ends_before_its_last_message_makes_no_job(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        call = running.stub.CreateJob()
        await call.write(FIRST)
        assert (await answer_of(call)).stored_items == 0
        await call.write(job_pb2.CreateJobRequest(items=texts(10)))
        await call.done_writing()
        with pytest.raises(grpc.aio.AioRpcError, match="last: is in no message") as error:
            await call.read()
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert not (await running.stub.ListJobs(job_pb2.ListJobsRequest())).jobs
        assert (await resumed(running.stub, texts(20)))[0] == 10


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (job_pb2.CreateJobRequest(spec=spec("bm"), request_id="feed", resume=True), grpc.StatusCode.ALREADY_EXISTS),
        (job_pb2.CreateJobRequest(spec=spec("fr"), resume=True), grpc.StatusCode.INVALID_ARGUMENT),
        (
            job_pb2.CreateJobRequest(spec=spec("fr"), request_id="feed", resume=True, items=texts(1)),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
    ],
)
async def test_what_cannot_be_resumed(url: str, first: job_pb2.CreateJobRequest, code: grpc.StatusCode) -> None:
    async with serve(url, CapitalsWork()) as running:
        assert await broken(running.stub, texts(BATCH)) == BATCH
        call = running.stub.CreateJob()
        await call.write(first)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call.read()
        assert error.value.code() is code


def test_a_client_goes_on_when_the_server_was_killed_while_it_sent(process: JobProcess) -> None:
    items, taken = 30_000, 0

    def killing() -> Iterator[job_pb2.JobItem]:
        nonlocal taken
        for item in texts(items):
            taken += 1
            if taken in {10_000, 20_000}:
                process.kill()
                process.start()
            yield item

    process.delay_ms = 0
    process.start()
    with JobClient(process.address) as client:
        create_when_ready(client, texts(1))
        job = client.create(spec("fr"), killing(), request_id="archive")
        assert job.progress.total_items == items == taken
        assert list(client.watch(job.name))[-1].progress.done_items == items
        assert_each_once(list(client.results(job.name)), items)


def test_a_client_goes_on_when_the_connection_is_cut_and_sends_little_twice(process: JobProcess) -> None:
    process.delay_ms = 0
    process.start()
    items = [job_pb2.JobItem(id=f"id-{i}", text=f"text {i} {'word ' * 300}") for i in range(20_000)]
    with proxy_to(process.address) as proxy:

        def cutting() -> Iterator[job_pb2.JobItem]:
            for place, item in enumerate(items):
                if place in {8_000, 16_000}:
                    proxy.cut()
                yield item

        with JobClient(proxy.address) as client:
            create_when_ready(client, texts(1))
            job = client.create(spec("fr"), cutting(), request_id="archive")
            assert job.progress.total_items == len(items)
        whole = sum(item.ByteSize() for item in items)
        assert whole < proxy.sent < 1.5 * whole
    with JobClient(process.address) as client:
        client.cancel(job.name)


def test_a_client_does_not_wait_longer_than_its_patience(process: JobProcess) -> None:
    def dying() -> Iterator[job_pb2.JobItem]:
        for place, item in enumerate(texts(10_000)):
            if place == 5_000:
                process.signal(signal.SIGKILL)
            yield item

    process.start()
    with JobClient(process.address, patience_s=1.0) as client:
        create_when_ready(client, texts(1))
        with pytest.raises(UnavailableError):
            client.create(spec("fr"), dying(), request_id="archive")


def test_a_client_says_so_when_what_it_had_sent_is_lost(process: JobProcess) -> None:
    def losing() -> Iterator[job_pb2.JobItem]:
        for place, item in enumerate(texts(10_000)):
            if place == 8_000:
                until(lambda: process.uploaded() >= BATCH)
                time.sleep(0.5)  # the answer that says so is on its way
                process.kill()
                for file in process.folder.glob("data/jobs.db*"):
                    file.unlink()
                process.start()
            yield item

    process.start()
    with JobClient(process.address) as client:
        create_when_ready(client, texts(1))
        with pytest.raises(UploadLostError):
            client.create(spec("fr"), losing(), request_id="archive")


def test_an_iterator_that_fails_ends_the_upload_with_its_own_error(process: JobProcess) -> None:
    def failing() -> Iterator[job_pb2.JobItem]:
        yield from texts(3_000)
        raise OSError("the disk is gone")

    process.start()
    with JobClient(process.address) as client:
        create_when_ready(client, texts(1))
        with pytest.raises(OSError, match="the disk is gone"):
            client.create(spec("fr"), failing(), request_id="archive")
        until(lambda: len(list(client.list())) == 1)


def test_a_client_whose_items_come_slowly_hears_of_the_end_of_its_call_at_once(process: JobProcess) -> None:
    go_on = threading.Event()

    def hesitating() -> Iterator[job_pb2.JobItem]:
        yield from texts(BATCH + 1_000)
        until(lambda: process.uploaded() >= BATCH)
        process.signal(signal.SIGKILL)
        go_on.wait()

    process.start()
    with JobClient(process.address, patience_s=1.0) as client:
        create_when_ready(client, texts(1))
        with pytest.raises(UnavailableError):
            client.create(spec("fr"), hesitating(), request_id="archive")
        go_on.set()
