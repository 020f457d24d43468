"""JobService over a real server, on SQLite and PostgreSQL: what comes in comes out once, and can be steered."""

from __future__ import annotations

import asyncio
from contextlib import closing

import grpc
import pytest
from sqlalchemy import func, select

from kunnafoni.jobs.runner import RunnerOptions
from kunnafoni.storage import tables
from kunnafoni.storage.database import Database
from kunnafoni.v1 import job_pb2
from tests.service.jobs.calls import create, create_job, done, eventually, read, requests, spec, texts, wait_for_end
from tests.service.jobs.job_server import CapitalsWork, serve


async def test_results_in_both_orders_with_progress(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        job = await create(running.stub, texts(700), "fr", "bm")
        assert job.progress.total_items == 700
        ended = await wait_for_end(running.stub, job.name)
        assert ended.state == job_pb2.JOB_STATE_SUCCEEDED
        assert (ended.progress.done_items, ended.progress.failed_items) == (700, 0)
        assert ended.progress.done_segments == ended.progress.estimated_segments == 1400
        assert ended.progress.settled_code_points == ended.progress.total_code_points
        results = await read(running.stub, job.name)
        assert [result.index for result in results] == list(range(700))
        assert [result.id for result in results] == [f"id-{i}" for i in range(700)]
        assert [made.text for made in results[5].translations] == ["fr:TEXT 5", "bm:TEXT 5"]
        completed = await read(running.stub, job.name, order=job_pb2.JOB_RESULT_ORDER_COMPLETION)
        assert sorted(result.index for result in completed) == list(range(700))


async def test_a_call_right_after_the_start_waits_for_the_store(url: str) -> None:
    async with serve(url, CapitalsWork(), ready=False) as running:
        assert (await create(running.stub, texts(3))).progress.total_items == 3


async def test_reading_follows_a_running_job_and_resumes_from_any_offset(url: str) -> None:
    async with serve(url, CapitalsWork(delay_s=0.005)) as running:
        job = await create(running.stub, texts(300))
        for order in (job_pb2.JOB_RESULT_ORDER_INPUT, job_pb2.JOB_RESULT_ORDER_COMPLETION):
            request = job_pb2.ReadJobResultsRequest(name=job.name, order=order, follow=True)
            seen: list[int] = []
            while len(seen) < 300:  # one message a call, then from its offset
                async for answer in running.stub.ReadJobResults(request):
                    seen += [result.index for result in answer.results]
                    request.offset = answer.next_offset
                    break
            assert sorted(seen) == list(range(300))
            if order == job_pb2.JOB_RESULT_ORDER_INPUT:
                assert seen == sorted(seen)


async def test_a_running_job_gives_an_unbroken_beginning(url: str) -> None:
    async with serve(url, CapitalsWork(delay_s=0.05)) as running:
        job = await create(running.stub, texts(400))
        state = await done(running.stub, job.name, 50)
        assert state.state == job_pb2.JOB_STATE_RUNNING
        indexes = [result.index for result in await read(running.stub, job.name)]
        assert indexes == list(range(len(indexes)))


async def test_request_id_makes_a_job_once(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        first = await create(running.stub, texts(10), request_id="feed-1")
        again = await create_job(running.stub, requests(spec("fr"), texts(10), request_id="feed-1", per_message=3))
        assert again.already_created
        assert again.job.name == first.name
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await create(running.stub, texts(9), request_id="feed-1")
        assert error.value.code() is grpc.StatusCode.ALREADY_EXISTS
        both = [create(running.stub, texts(50), request_id="feed-2") for _ in range(2)]
        one, other = await asyncio.gather(*both)
        assert one.name == other.name
        await running.stub.DeleteJob(job_pb2.DeleteJobRequest(name=first.name))
        assert (await create(running.stub, texts(9), request_id="feed-1")).name != first.name


async def test_failed_items_carry_a_status_and_can_be_retried(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        items = texts(200)
        items[7].text = items[150].text = "FAIL"
        job = await create(running.stub, items)
        ended = await wait_for_end(running.stub, job.name)
        assert ended.state == job_pb2.JOB_STATE_PARTIALLY_SUCCEEDED
        assert (ended.progress.done_items, ended.progress.failed_items) == (198, 2)
        results = await read(running.stub, job.name)
        status = results[7].error
        assert status.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
        assert len(status.details) == 2
        assert not results[7].translations
        running.work.repaired = True
        before = len(running.work.done)
        retried = await running.stub.RetryJob(job_pb2.RetryJobRequest(name=job.name))
        assert retried.job.progress.failed_items == 0
        ended = await wait_for_end(running.stub, job.name)
        assert (ended.progress.done_items, ended.progress.failed_items) == (200, 0)
        assert ended.progress.settled_code_points == ended.progress.total_code_points
        assert sorted(running.work.done[before:]) == [7, 150]
        assert [result.index for result in await read(running.stub, job.name) if result.translations] == list(
            range(200)
        )
        unchanged = await running.stub.RetryJob(job_pb2.RetryJobRequest(name=job.name))
        assert unchanged.job.state == job_pb2.JOB_STATE_SUCCEEDED


async def test_retry_of_a_running_job(url: str) -> None:
    async with serve(url, CapitalsWork(delay_s=0.05)) as running:
        items = texts(300)
        items[0].text = "FAIL"
        job = await create(running.stub, items)
        state = await done(running.stub, job.name, 1)
        assert state.progress.failed_items == 1
        assert state.state == job_pb2.JOB_STATE_RUNNING
        running.work.repaired = True
        await running.stub.RetryJob(job_pb2.RetryJobRequest(name=job.name))
        ended = await wait_for_end(running.stub, job.name)
        assert (ended.progress.done_items, ended.progress.failed_items) == (300, 0)
        assert [result.index for result in await read(running.stub, job.name)] == list(range(300))


async def test_cancel_keeps_what_is_done_and_retry_goes_on(url: str) -> None:
    async with serve(url, CapitalsWork(delay_s=0.05)) as running:
        job = await create(running.stub, texts(500))
        await done(running.stub, job.name, 20)
        cancelling = (await running.stub.CancelJob(job_pb2.CancelJobRequest(name=job.name))).job
        assert cancelling.state == job_pb2.JOB_STATE_CANCELLING
        cancelled = await wait_for_end(running.stub, job.name)
        assert cancelled.state == job_pb2.JOB_STATE_CANCELLED
        kept = cancelled.progress.done_items
        assert 20 <= kept < 500
        assert len(await read(running.stub, job.name, follow=True)) == kept
        worked = len(running.work.done)
        await asyncio.sleep(3.5)  # enough for all of them
        assert len(running.work.done) - worked < 400, "the work of a cancelled job goes on"
        await running.stub.RetryJob(job_pb2.RetryJobRequest(name=job.name))
        ended = await wait_for_end(running.stub, job.name)
        assert ended.progress.done_items == 500
        assert [result.index for result in await read(running.stub, job.name)] == list(range(500))


async def test_unchanged_items_reuse_results_and_changed_models_do_not(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        first = await create(running.stub, texts(100))
        await wait_for_end(running.stub, first.name)
        again = texts(100)
        again[3].text = "changed"
        for item in again:
            item.id = f"new-{item.id}"
        second = await create(running.stub, again)
        ended = await wait_for_end(running.stub, second.name)
        assert ended.progress.reused_items == 99
        assert len(running.work.done) == 101
        results = await read(running.stub, second.name)
        assert results[0].id == "new-id-0"
        assert [result.index for result in results if not result.reused] == [3]
        running.work.revision = "2"
        third = await create(running.stub, texts(100))
        assert (await wait_for_end(running.stub, third.name)).progress.reused_items == 0


async def test_delete_and_expiry_remove_everything(url: str) -> None:
    async with serve(url, CapitalsWork(), runner_options=RunnerOptions(expiry_days=1e-9)) as running:
        expiring = (await create_job(running.stub, requests(spec("fr", labels={"a": "b"}), texts(10)))).job

        async def gone() -> bool:
            await asyncio.to_thread(running.job_service.store.expire, days=1e-9)
            return not (await running.stub.ListJobs(job_pb2.ListJobsRequest())).jobs

        await eventually(gone)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await running.stub.GetJob(job_pb2.GetJobRequest(name=expiring.name))
        assert error.value.code() is grpc.StatusCode.NOT_FOUND
        await asyncio.to_thread(lambda: [None for _ in iter(running.job_service.store.purge, False)])
        with closing(Database(url)) as database, database.read() as connection:
            for table in (tables.jobs, tables.job_labels, tables.items, tables.chunks, tables.results):
                assert connection.execute(select(func.count()).select_from(table)).scalar() == 0


async def test_jobs_are_listed_by_page_state_and_label(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        ids: list[str] = []
        for i in range(5):
            labelled = spec("fr", labels={"feed": "night" if i % 2 else "day"})
            ids.append((await create_job(running.stub, requests(labelled, texts(3)))).job.name)
        for name in ids:
            await wait_for_end(running.stub, name)
        seen: list[str] = []
        request = job_pb2.ListJobsRequest(page_size=2)
        while True:
            page = await running.stub.ListJobs(request)
            seen += [job.name for job in page.jobs]
            request.page_token = page.next_page_token
            if not request.page_token:
                break
        assert seen == ids[::-1]
        night = await running.stub.ListJobs(job_pb2.ListJobsRequest(labels={"feed": "night"}))
        assert [job.name for job in night.jobs] == [ids[3], ids[1]]
        none = await running.stub.ListJobs(job_pb2.ListJobsRequest(state=job_pb2.JOB_STATE_RUNNING))
        assert not none.jobs


async def test_two_jobs_share_the_server(url: str) -> None:
    async with serve(url, CapitalsWork(delay_s=0.02)) as running:
        large = await create(running.stub, texts(2000))
        small = await create(running.stub, texts(20, prefix="small"))
        await wait_for_end(running.stub, small.name)
        state = await running.stub.GetJob(job_pb2.GetJobRequest(name=large.name))
        assert state.job.state == job_pb2.JOB_STATE_RUNNING
        await running.stub.DeleteJob(job_pb2.DeleteJobRequest(name=large.name))


async def test_a_call_that_breaks_leaves_nothing(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        call = running.stub.CreateJob()
        await call.write(job_pb2.CreateJobRequest(spec=spec("fr"), request_id="broken"))
        await call.write(job_pb2.CreateJobRequest(items=texts(3000)))
        await asyncio.sleep(0.2)
        call.cancel()
        assert not (await running.stub.ListJobs(job_pb2.ListJobsRequest())).jobs
        complete = await create(running.stub, texts(10), request_id="broken")
        assert (await wait_for_end(running.stub, complete.name)).progress.done_items == 10


@pytest.mark.parametrize("method", ["GetJob", "CancelJob", "RetryJob", "DeleteJob"])
async def test_unknown_jobs_are_not_found(tmp_path: object, method: str) -> None:
    async with serve(f"sqlite:///{tmp_path}/jobs.db", CapitalsWork()) as running:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await getattr(running.stub, method)(getattr(job_pb2, f"{method}Request")(name="jobs/none"))
        assert error.value.code() is grpc.StatusCode.NOT_FOUND
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await read(running.stub, "jobs/none")
        assert error.value.code() is grpc.StatusCode.NOT_FOUND


async def test_results_come_with_their_items_when_asked(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        job = await create(running.stub, texts(3))
        await wait_for_end(running.stub, job.name)
        results = await read(running.stub, job.name, include_items=True)
        assert [result.item.text for result in results] == ["text 0", "text 1", "text 2"]
        assert not (await read(running.stub, job.name))[0].HasField("item")
