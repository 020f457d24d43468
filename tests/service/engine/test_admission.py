"""Full queues: who is refused, for how long, and who waits."""

from __future__ import annotations

import asyncio

import pytest

from kunnafoni.engine.admission import Admission
from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.caller import Caller, Priority
from kunnafoni.engine.fair_queue import FairQueue
from kunnafoni.engine.meter import Meter
from kunnafoni.engine.policy import Policy
from kunnafoni.errors import CancelledCallError, DeadlineError, DrainingError, OverloadedError
from tests.service.engine.fakes import FakeModel, FakeRow, run

# Rows weigh 20: a batch holds 4 of them, and a request may find 40 before it.
POLICY = Policy(batch_tokens=100, batch_rows=4, queue_tokens=800, window_batches=2)


def begin(batcher: Batcher[FakeRow, str], caller: Caller, name: str, rows: int) -> list[asyncio.Task[object]]:
    async def one(text: str) -> object:
        return (await batcher.submit(FakeRow(text), caller=caller)).output

    return [asyncio.create_task(one(f"{name}{n}")) for n in range(rows)]


def lines(batcher: Batcher[FakeRow, str], name: str, number: int) -> list[asyncio.Task[object]]:
    """Requests of one row each, of as many callers."""
    return [task for n in range(number) for task in begin(batcher, Caller(), f"{name}{n}-", 1)]


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        batcher = Batcher(FakeModel(), POLICY)
        work = lines(batcher, "a", 41)
        await asyncio.sleep(0.5)
        work += lines(batcher, "b", 4)
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError) as unmeasured:
            await batcher.submit(FakeRow("c"), caller=Caller())
        assert loop.time() == 0.5
        assert unmeasured.value.retry_after_s == 1.0
        await asyncio.sleep(1.0)
        work += lines(batcher, "d", 4)
        await asyncio.sleep(0)
        # 41 rows of 20 tokens wait and 80 tokens are done in a second.
        with pytest.raises(OverloadedError) as measured:
            batcher.admit(180, caller=Caller())
        assert measured.value.retry_after_s == pytest.approx(20 / 80)
        assert batcher.stats().refused_requests == 2
        await asyncio.gather(*work)
        await batcher.close()

    run(main())


def test_the_turns_of_another_model_count_in_when_to_come_back() -> None:
    async def main() -> None:
        processor = asyncio.Semaphore(1)
        batchers = [Batcher(FakeModel(), POLICY, turn=lambda: processor) for _ in range(2)]
        work = [task for batcher in batchers for task in lines(batcher, "a", 40)]
        await asyncio.sleep(8.5)
        work += lines(batchers[0], "b", 21)
        await asyncio.sleep(0)
        # Each model has run every other second, batches of 80 tokens.
        with pytest.raises(OverloadedError) as refused:
            batchers[0].admit(1000, caller=Caller())
        waiting = batchers[0].stats().queued_tokens
        assert refused.value.retry_after_s == pytest.approx((waiting - 800) / 40, rel=0.1)
        await asyncio.gather(*work)
        for batcher in batchers:
            await batcher.close()

    run(main())


def test_a_request_is_admitted_as_a_whole_or_not_at_all() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), POLICY)
        first = Caller()
        batcher.admit(20 * 41, caller=first)
        work = begin(batcher, first, "a", 41)
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            batcher.admit(20 * 41, caller=Caller())
        second = Caller()
        batcher.admit(20 * 5, caller=second)
        work += begin(batcher, second, "b", 30)  # more than it said: half a request is worse than none
        assert len(await asyncio.gather(*work)) == 71
        await batcher.close()

    run(main())


def test_asking_for_room_lets_nobody_in() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), POLICY)
        asking = Caller()
        batcher.check_room(20 * 41, caller=asking)
        with pytest.raises(OverloadedError):
            batcher.check_room(20 * 41, caller=asking, coming=20 * 41)
        first = Caller()
        batcher.admit(20 * 41, caller=first)
        work = begin(batcher, first, "a", 41)
        await asyncio.sleep(0)
        for refuses in (batcher.check_room, batcher.admit):
            with pytest.raises(OverloadedError):
                refuses(20 * 41, caller=asking)
        assert batcher.stats().refused_requests == 1, "once a request"
        for comes_in in (first, Caller(priority=Priority.JOB)):
            batcher.check_room(20 * 41, caller=comes_in)
        await asyncio.gather(*work)
        await batcher.close()

    run(main())


def test_large_requests_leave_room_for_small_ones() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), POLICY)
        work: list[asyncio.Task[object]] = []
        for number in range(10):
            caller = Caller()
            try:
                batcher.admit(20 * 10, caller=caller)
            except OverloadedError:
                continue
            work += begin(batcher, caller, f"archive{number}-", 10)
            await asyncio.sleep(0)
        stats = batcher.stats()
        assert stats.queued_rows + stats.running_rows == 50
        assert stats.refused_requests == 5
        work += begin(batcher, Caller(), "line", 1)
        assert len(await asyncio.gather(*work)) == 51
        await batcher.close()

    run(main())


def test_a_request_larger_than_the_queue_gets_in_when_little_else_waits() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), POLICY)
        giant = Caller()
        batcher.admit(5_000, caller=giant)
        work = begin(batcher, giant, "a", 250)
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            batcher.admit(5_000, caller=Caller())
        assert len(await asyncio.gather(*work)) == 250
        await batcher.close()

    run(main())


def test_jobs_wait_for_room_and_keep_within_it() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), POLICY)
        work = begin(batcher, Caller(priority=Priority.JOB), "a", 100)
        most = 0
        while not all(task.done() for task in work):
            most = max(most, batcher.stats().queued_tokens)
            await asyncio.sleep(0.25)
        assert most == 200
        assert [task.result() for task in work] == [f"<a{n}>" for n in range(100)]
        assert asyncio.get_running_loop().time() < 27, "the model never waits for the job"
        await batcher.close()

    run(main())


def test_jobs_do_not_take_the_room_of_people() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), POLICY)
        job = Caller(priority=Priority.JOB)
        begin(batcher, job, "job", 100)
        await asyncio.sleep(0.5)
        people = begin(batcher, Caller(), "line", 30)
        await asyncio.gather(*people)
        job.cancel()
        await asyncio.sleep(0)
        assert batcher.stats().queued_rows == 0
        await batcher.close()

    run(main())


def test_a_job_at_the_door_is_told_of_deadlines_and_of_the_end() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), POLICY)
        work = begin(batcher, Caller(priority=Priority.JOB), "a", 30)
        await asyncio.sleep(0.5)
        (hurried,) = begin(batcher, Caller(priority=Priority.JOB, deadline_s=0.75), "b", 1)
        (patient,) = begin(batcher, Caller(priority=Priority.JOB), "c", 1)
        with pytest.raises(DeadlineError):
            await hurried
        assert asyncio.get_running_loop().time() == 0.75
        await batcher.drain(grace_s=1.0)
        with pytest.raises(DrainingError):
            await patient
        results = await asyncio.gather(*work, return_exceptions=True)
        assert [type(result) for result in results] == [str] * 4 + [DrainingError] * 26
        assert batcher.stats().queued_tokens == 0

    run(main())


def test_room_that_a_job_leaves_goes_to_the_next_at_the_door() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, Policy(batch_tokens=100, queue_tokens=800, window_batches=1))
        with Caller(priority=Priority.JOB) as job:
            rows = [FakeRow(text, weight=100) for text in "abbc"]
            work = [asyncio.create_task(batcher.submit(row, caller=job)) for row in rows]
            answers = await asyncio.gather(*work)  # the second `b` needs no room
        assert [answer.output for answer in answers] == ["<a>", "<b>", "<b>", "<c>"]
        assert model.seen == list("abc")
        await batcher.close()

    run(main())


def test_room_that_a_job_gets_when_it_has_gone_goes_to_the_next_at_the_door() -> None:
    async def main() -> None:
        policy = Policy(batch_tokens=100, queue_tokens=800, window_batches=1)
        jobs: FairQueue[FakeRow] = FairQueue(policy)
        admission = Admission(policy, Meter(1), interactive=FairQueue(policy), jobs=jobs)
        first, second = Caller(priority=Priority.JOB), Caller(priority=Priority.JOB)
        full = jobs.add(FakeRow("a", weight=100), first)
        waiting = [asyncio.create_task(admission.wait_for_room(100, caller)) for caller in (first, second)]
        await asyncio.sleep(1)
        full.leave()
        admission.make_room()
        first.cancel()
        await asyncio.wait(waiting)
        assert type(waiting[0].exception()) is CancelledCallError
        assert waiting[1].exception() is None

    run(main())
