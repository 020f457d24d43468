"""The states of a job as its caller sees them, each told from the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kunnafoni.jobs.runner import RunnerOptions
from kunnafoni.v1 import job_pb2
from tests.service.jobs.calls import create, create_when_ready, done, eventually, read, texts, wait_for_end
from tests.service.jobs.job_server import CapitalsWork, serve

if TYPE_CHECKING:
    from kunnafoni.jobs.work import ClaimedItem, Outcome
    from kunnafoni.v1.job_pb2_grpc import JobServiceAsyncStub
    from tests.service.jobs.job_process import JobProcess

from kunnafoni.client import JobClient


class HeldWork(CapitalsWork):
    """Works on the first three items, and on the others when it is let; it does not stop when it is cancelled."""

    def hold(self) -> HeldWork:
        self.go_on = asyncio.Event()
        return self

    async def run(self, item: ClaimedItem) -> Outcome:
        if item.position >= 3:
            waiting = asyncio.ensure_future(self.go_on.wait())
            while not waiting.done():
                try:
                    await asyncio.shield(waiting)
                except asyncio.CancelledError:
                    await asyncio.shield(waiting)
                    raise
        return await super().run(item)


async def state_of(stub: JobServiceAsyncStub, name: str) -> job_pb2.JobState.ValueType:
    return (await stub.GetJob(job_pb2.GetJobRequest(name=name))).job.state


async def listed(stub: JobServiceAsyncStub, state: job_pb2.JobState.ValueType) -> list[str]:
    return [job.name for job in (await stub.ListJobs(job_pb2.ListJobsRequest(state=state))).jobs]


async def test_queued_running_cancelling_cancelled(url: str) -> None:
    work = HeldWork().hold()
    async with serve(url, work, runner_options=RunnerOptions(max_items=4)) as running:
        stub = running.stub
        job = await create(stub, texts(100))
        assert job.state in {job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING}
        assert (await done(stub, job.name, 3)).state == job_pb2.JOB_STATE_RUNNING
        waiting = await create(stub, texts(5))
        assert waiting.state == job_pb2.JOB_STATE_QUEUED
        assert not waiting.HasField("start_time")
        assert await listed(stub, job_pb2.JOB_STATE_QUEUED) == [waiting.name]
        assert await listed(stub, job_pb2.JOB_STATE_RUNNING) == [job.name]
        at_once = (await stub.CancelJob(job_pb2.CancelJobRequest(name=waiting.name))).job
        assert at_once.state == job_pb2.JOB_STATE_CANCELLED, "nobody works on it"
        assert at_once.HasField("end_time")
        cancelling = (await stub.CancelJob(job_pb2.CancelJobRequest(name=job.name))).job
        assert cancelling.state == job_pb2.JOB_STATE_CANCELLING
        assert not cancelling.HasField("end_time")
        await asyncio.sleep(1.5)  # the runner has looked
        assert await listed(stub, job_pb2.JOB_STATE_CANCELLING) == [job.name]
        again = (await stub.CancelJob(job_pb2.CancelJobRequest(name=job.name))).job
        assert again.state == job_pb2.JOB_STATE_CANCELLING
        work.go_on.set()
        cancelled = await wait_for_end(stub, job.name)
        assert cancelled.state == job_pb2.JOB_STATE_CANCELLED
        assert cancelled.HasField("end_time")
        assert len(await read(stub, job.name)) == cancelled.progress.done_items


@pytest.mark.parametrize(
    ("failing", "state"),
    [
        ((), job_pb2.JOB_STATE_SUCCEEDED),
        ((1,), job_pb2.JOB_STATE_PARTIALLY_SUCCEEDED),
        ((0, 1, 2), job_pb2.JOB_STATE_FAILED),
    ],
)
async def test_the_end_says_how_many_items_failed(
    url: str, failing: tuple[int, ...], state: job_pb2.JobState.ValueType
) -> None:
    async with serve(url, CapitalsWork()) as running:
        items = texts(3)
        for place in failing:
            items[place].text = "FAIL"
        job = await create(running.stub, items)
        assert (await wait_for_end(running.stub, job.name)).state == state
        assert await listed(running.stub, state) == [job.name]


async def test_a_job_that_is_being_cancelled_can_be_retried(url: str) -> None:
    work = HeldWork().hold()
    async with serve(url, work) as running:
        job = await create(running.stub, texts(20))
        await done(running.stub, job.name, 3)
        cancelling = (await running.stub.CancelJob(job_pb2.CancelJobRequest(name=job.name))).job
        assert cancelling.state == job_pb2.JOB_STATE_CANCELLING
        retried = (await running.stub.RetryJob(job_pb2.RetryJobRequest(name=job.name))).job
        assert retried.state == job_pb2.JOB_STATE_QUEUED
        work.go_on.set()
        ended = await wait_for_end(running.stub, job.name)
        assert (ended.state, ended.progress.done_items) == (job_pb2.JOB_STATE_SUCCEEDED, 20)


async def test_a_job_is_cancelled_when_the_server_that_worked_on_it_stops(url: str) -> None:
    class Stubborn(CapitalsWork):
        async def run(self, item: ClaimedItem) -> Outcome:
            await asyncio.sleep(3600)
            return await super().run(item)

    async with serve(url, Stubborn()) as first:
        job = await create(first.stub, texts(20))

        async def taken_up() -> bool:
            return await state_of(first.stub, job.name) == job_pb2.JOB_STATE_RUNNING

        await eventually(taken_up)
        cancelling = await asyncio.to_thread(first.job_service.store.cancel, job.name.removeprefix("jobs/"))
        assert cancelling.state.name == "CANCELLING"
    async with serve(url, CapitalsWork()) as second:
        assert await state_of(second.stub, job.name) == job_pb2.JOB_STATE_CANCELLED


def test_a_job_is_cancelled_when_the_server_that_worked_on_it_is_killed(process: JobProcess) -> None:
    process.delay_ms = 60_000
    process.start()
    with JobClient(process.address) as client:
        job = create_when_ready(client, texts(20))
        while client.get(job.name).state != job_pb2.JOB_STATE_RUNNING:
            pass
        assert client.cancel(job.name).state == job_pb2.JOB_STATE_CANCELLING
        process.kill()
        process.start()
        *_, last = client.watch(create_when_ready(client, texts(20)).name)
        assert last.name == job.name
        assert last.state == job_pb2.JOB_STATE_CANCELLED
