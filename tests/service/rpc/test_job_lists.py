"""Lists of jobs and offsets of results: tokens that are bound to their filters, and ends that are said to be ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from kunnafoni.v1 import job_pb2
from tests.service.jobs.calls import create, create_job, read, requests, spec, texts, wait_for_end
from tests.service.jobs.job_server import CapitalsWork, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kunnafoni.v1.job_pb2_grpc import JobServiceAsyncStub

MAX_INT64 = 2**63 - 1


async def labelled(stub: JobServiceAsyncStub, labels: Mapping[str, str]) -> str:
    return (await create_job(stub, requests(spec("fr", labels=dict(labels)), texts(1)))).job.name


async def page(stub: JobServiceAsyncStub, **asked: object) -> tuple[list[str], str]:
    """The names on a page of at most two, and the token of the next."""
    request = job_pb2.ListJobsRequest(page_size=2, **asked)  # pyright: ignore[reportArgumentType]
    answer = await stub.ListJobs(request)
    return [job.name for job in answer.jobs], answer.next_page_token


async def test_jobs_are_found_by_all_of_their_labels(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        both = await labelled(running.stub, {"desk": "sport", "week": "48"})
        other = await labelled(running.stub, {"desk": "sport", "week": "49"})
        await labelled(running.stub, {"desk": "culture", "week": "48"})
        assert await page(running.stub, labels={"desk": "sport"}) == ([other, both], "")
        assert await page(running.stub, labels={"desk": "sport", "week": "48"}) == ([both], "")
        assert await page(running.stub, labels={"desk": "48"}) == ([], "")
        assert (await page(running.stub, labels={"week": "48"}, state=job_pb2.JOB_STATE_CANCELLED)) == ([], "")


async def test_jobs_are_found_by_as_many_labels_as_a_job_may_have(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        labels = {f"key{i}": f"value{i}" for i in range(32)}
        name = await labelled(running.stub, labels)
        assert await page(running.stub, labels=labels) == ([name], "")
        assert await page(running.stub, labels={**labels, "key31": "other"}) == ([], "")


async def test_jobs_with_a_label_are_read_by_its_index(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        for week in range(3):
            await labelled(running.stub, {"desk": "sport", "week": str(week)})
        statements: list[tuple[str, object]] = []

        def note(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
            if "job_labels" in statement:
                statements.append((statement, parameters))

        event.listen(Engine, "before_cursor_execute", note)
        try:
            store = running.job_service.store
            found = await asyncio.to_thread(store.list, limit=2, before=3, labels={"desk": "sport", "week": "1"})
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        assert len(found) == 1
        [(statement, parameters)] = statements

        def plan() -> str:
            with store.database.read() as connection:
                explain = "EXPLAIN" if store.database.is_shared else "EXPLAIN QUERY PLAN"
                if store.database.is_shared:  # three rows are read as a whole unless that is made dear
                    connection.execute(text("SET LOCAL enable_seqscan = off"))
                rows = connection.exec_driver_sql(f"{explain} {statement}", parameters)  # pyright: ignore[reportArgumentType]
                return "\n".join(str(row) for row in rows)

        explained = await asyncio.to_thread(plan)
        assert "job_labels_by_value" in explained, explained
        assert "SCAN jobs" not in explained, explained
        assert "Seq Scan" not in explained, explained
        if not store.database.is_shared:
            assert "TEMP B-TREE" not in explained, f"sorts all jobs that have the label: {explained}"


async def test_tokens_outlast_the_jobs_that_they_point_at(url: str) -> None:
    async with serve(url, CapitalsWork()) as running:
        names = [await labelled(running.stub, {"desk": "sport"}) for _ in range(5)]
        first, token = await page(running.stub, labels={"desk": "sport"})
        assert first == [names[4], names[3]]
        for name in (names[3], names[2]):
            await running.stub.DeleteJob(job_pb2.DeleteJobRequest(name=name))
        assert await page(running.stub, labels={"desk": "sport"}, page_token=token) == ([names[1], names[0]], "")


@pytest.mark.parametrize(
    "other",
    [
        {"labels": {"desk": "culture"}},
        {"labels": {}},
        {"labels": {"desk": "sport"}, "state": job_pb2.JOB_STATE_RUNNING},
        {"labels": {"desk": "sport", "week": "48"}},
    ],
)
async def test_tokens_are_bound_to_what_was_asked_for(tmp_path: object, other: dict[str, object]) -> None:
    async with serve(f"sqlite:///{tmp_path}/jobs.db", CapitalsWork()) as running:
        for _ in range(3):
            await labelled(running.stub, {"desk": "sport"})
        _, token = await page(running.stub, labels={"desk": "sport"})
        assert token
        assert not token.isdecimal()
        with pytest.raises(grpc.aio.AioRpcError, match="page_token") as error:
            await page(running.stub, page_token=token, **other)
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        tampered = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
        with pytest.raises(grpc.aio.AioRpcError, match="page_token"):
            await page(running.stub, page_token=tampered, labels={"desk": "sport"})


@pytest.mark.parametrize("order", [job_pb2.JOB_RESULT_ORDER_INPUT, job_pb2.JOB_RESULT_ORDER_COMPLETION])
async def test_offsets_beyond_the_end_are_out_of_range(url: str, order: job_pb2.JobResultOrder.ValueType) -> None:
    async with serve(url, CapitalsWork()) as running:
        job = await create(running.stub, texts(5))
        await wait_for_end(running.stub, job.name)
        assert len(await read(running.stub, job.name, order=order, offset=4)) == 1
        assert await read(running.stub, job.name, order=order, offset=5) == []
        for offset, code in (
            (6, grpc.StatusCode.OUT_OF_RANGE),
            (MAX_INT64, grpc.StatusCode.OUT_OF_RANGE),
            (-1, grpc.StatusCode.INVALID_ARGUMENT),
            (-MAX_INT64 - 1, grpc.StatusCode.INVALID_ARGUMENT),
        ):
            with pytest.raises(grpc.aio.AioRpcError, match=r"[Oo]ffset") as error:
                await read(running.stub, job.name, order=order, offset=offset)
            assert error.value.code() is code


@pytest.mark.parametrize("order", [job_pb2.JOB_RESULT_ORDER_INPUT, job_pb2.JOB_RESULT_ORDER_COMPLETION])
async def test_following_does_not_wait_at_an_offset_that_cannot_come(
    tmp_path: object, order: job_pb2.JobResultOrder.ValueType
) -> None:
    async with serve(f"sqlite:///{tmp_path}/jobs.db", CapitalsWork(delay_s=0.5)) as running:
        job = await create(running.stub, texts(200))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await read(running.stub, job.name, order=order, offset=201, follow=True)
        assert error.value.code() is grpc.StatusCode.OUT_OF_RANGE
