"""Full queues: which requests are refused, for how long, and which wait."""

from __future__ import annotations

import asyncio

import pytest

from kunnafoni.engine.admission import Admission
from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.batcher_stats import StatsCollector
from kunnafoni.engine.fair_queue import FairQueue
from kunnafoni.engine.request_context import Priority, RequestContext
from kunnafoni.engine.scheduler_config import SchedulerConfig
from kunnafoni.errors import CancelledCallError, DeadlineError, DrainingError, OverloadedError
from tests.service.engine.fakes import FakeModel, FakeSequence, run

# A sequence costs 20 tokens: a batch holds 4 of them, and a request may find 40 queued before it.
CONFIG = SchedulerConfig(max_batch_tokens=100, max_batch_sequences=4, max_queue_tokens=800, window_batches=2)


def begin(
    batcher: Batcher[FakeSequence, str], context: RequestContext, name: str, sequences: int
) -> list[asyncio.Task[object]]:
    async def one(text: str) -> object:
        return (await batcher.submit(FakeSequence(text), context=context)).output

    return [asyncio.create_task(one(f"{name}{n}")) for n in range(sequences)]


def lines(batcher: Batcher[FakeSequence, str], name: str, number: int) -> list[asyncio.Task[object]]:
    """Requests with one sequence each."""
    return [task for n in range(number) for task in begin(batcher, RequestContext(), f"{name}{n}-", 1)]


def test_a_full_queue_refuses_at_once_and_says_when_to_retry() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        batcher = Batcher(FakeModel(), CONFIG)
        work = lines(batcher, "a", 41)
        await asyncio.sleep(0.5)
        work += lines(batcher, "b", 4)
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError) as unmeasured:
            await batcher.submit(FakeSequence("c"), context=RequestContext())
        assert loop.time() == 0.5
        assert unmeasured.value.retry_after_s == 1.0
        await asyncio.sleep(1.0)
        work += lines(batcher, "d", 4)
        await asyncio.sleep(0)
        # 41 sequences of 20 tokens wait and 80 tokens are done in a second.
        with pytest.raises(OverloadedError) as measured:
            batcher.admit(180, context=RequestContext())
        assert measured.value.retry_after_s == pytest.approx(20 / 80)
        assert batcher.stats().refused_requests == 2
        await asyncio.gather(*work)
        await batcher.close()

    run(main())


def test_waits_for_the_processor_count_in_the_retry_delay() -> None:
    async def main() -> None:
        processor = asyncio.Semaphore(1)
        batchers = [Batcher(FakeModel(), CONFIG, acquire_processor=lambda: processor) for _ in range(2)]
        work = [task for batcher in batchers for task in lines(batcher, "a", 40)]
        await asyncio.sleep(8.5)
        work += lines(batchers[0], "b", 21)
        await asyncio.sleep(0)
        # Each model has had the processor every other second, for batches of 80 tokens.
        with pytest.raises(OverloadedError) as refused:
            batchers[0].admit(1000, context=RequestContext())
        waiting = batchers[0].stats().queued_tokens
        assert refused.value.retry_after_s == pytest.approx((waiting - 800) / 40, rel=0.1)
        await asyncio.gather(*work)
        for batcher in batchers:
            await batcher.close()

    run(main())


def test_a_request_is_admitted_as_a_whole_or_not_at_all() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), CONFIG)
        first = RequestContext()
        batcher.admit(20 * 41, context=first)
        work = begin(batcher, first, "a", 41)
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            batcher.admit(20 * 41, context=RequestContext())
        second = RequestContext()
        batcher.admit(20 * 5, context=second)
        work += begin(batcher, second, "b", 30)  # more than was admitted: half a request is worse than none
        assert len(await asyncio.gather(*work)) == 71
        await batcher.close()

    run(main())


def test_checking_the_capacity_admits_nothing() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), CONFIG)
        asking = RequestContext()
        batcher.check_capacity(20 * 41, context=asking)
        with pytest.raises(OverloadedError):
            batcher.check_capacity(20 * 41, context=asking, reserved_tokens=20 * 41)
        first = RequestContext()
        batcher.admit(20 * 41, context=first)
        work = begin(batcher, first, "a", 41)
        await asyncio.sleep(0)
        for refuses in (batcher.check_capacity, batcher.admit):
            with pytest.raises(OverloadedError):
                refuses(20 * 41, context=asking)
        assert batcher.stats().refused_requests == 1, "once a request"
        for comes_in in (first, RequestContext(priority=Priority.JOB)):
            batcher.check_capacity(20 * 41, context=comes_in)
        await asyncio.gather(*work)
        await batcher.close()

    run(main())


def test_large_requests_leave_capacity_for_small_ones() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), CONFIG)
        work: list[asyncio.Task[object]] = []
        for number in range(10):
            context = RequestContext()
            try:
                batcher.admit(20 * 10, context=context)
            except OverloadedError:
                continue
            work += begin(batcher, context, f"archive{number}-", 10)
            await asyncio.sleep(0)
        stats = batcher.stats()
        assert stats.queued_sequences + stats.running_sequences == 50
        assert stats.refused_requests == 5
        work += begin(batcher, RequestContext(), "line", 1)
        assert len(await asyncio.gather(*work)) == 51
        await batcher.close()

    run(main())


def test_a_request_larger_than_the_queue_is_admitted_when_little_else_waits() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), CONFIG)
        giant = RequestContext()
        batcher.admit(5_000, context=giant)
        work = begin(batcher, giant, "a", 250)
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            batcher.admit(5_000, context=RequestContext())
        assert len(await asyncio.gather(*work)) == 250
        await batcher.close()

    run(main())


def test_jobs_wait_for_capacity_and_keep_within_it() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), CONFIG)
        work = begin(batcher, RequestContext(priority=Priority.JOB), "a", 100)
        most = 0
        while not all(task.done() for task in work):
            most = max(most, batcher.stats().queued_tokens)
            await asyncio.sleep(0.25)
        assert most == 200
        assert [task.result() for task in work] == [f"<a{n}>" for n in range(100)]
        assert asyncio.get_running_loop().time() < 27, "the model never waits for the job"
        await batcher.close()

    run(main())


def test_jobs_do_not_take_the_capacity_of_interactive_requests() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), CONFIG)
        job = RequestContext(priority=Priority.JOB)
        begin(batcher, job, "job", 100)
        await asyncio.sleep(0.5)
        people = begin(batcher, RequestContext(), "line", 30)
        await asyncio.gather(*people)
        job.cancel()
        await asyncio.sleep(0)
        assert batcher.stats().queued_sequences == 0
        await batcher.close()

    run(main())


def test_a_job_that_waits_for_admission_fails_at_its_deadline_and_at_shutdown() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), CONFIG)
        work = begin(batcher, RequestContext(priority=Priority.JOB), "a", 30)
        await asyncio.sleep(0.5)
        (hurried,) = begin(batcher, RequestContext(priority=Priority.JOB, deadline_s=0.75), "b", 1)
        (patient,) = begin(batcher, RequestContext(priority=Priority.JOB), "c", 1)
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


def test_capacity_that_a_job_does_not_need_goes_to_the_next_waiting_job() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, SchedulerConfig(max_batch_tokens=100, max_queue_tokens=800, window_batches=1))
        with RequestContext(priority=Priority.JOB) as job:
            sequences = [FakeSequence(text, token_cost=100) for text in "abbc"]
            work = [asyncio.create_task(batcher.submit(sequence, context=job)) for sequence in sequences]
            answers = await asyncio.gather(*work)  # the second `b` needs no capacity
        assert [answer.output for answer in answers] == ["<a>", "<b>", "<b>", "<c>"]
        assert model.seen == list("abc")
        await batcher.close()

    run(main())


def test_capacity_given_to_a_cancelled_job_goes_to_the_next_waiting_job() -> None:
    async def main() -> None:
        config = SchedulerConfig(max_batch_tokens=100, max_queue_tokens=800, window_batches=1)
        jobs: FairQueue[FakeSequence] = FairQueue(config)
        admission = Admission(config, StatsCollector(1), interactive=FairQueue(config), jobs=jobs)
        first, second = RequestContext(priority=Priority.JOB), RequestContext(priority=Priority.JOB)
        full = jobs.add(FakeSequence("a", token_cost=100), first)
        waiting = [asyncio.create_task(admission.wait_for_capacity(100, context)) for context in (first, second)]
        await asyncio.sleep(1)
        full.remove()
        admission.admit_waiting_jobs()
        first.cancel()
        await asyncio.wait(waiting)
        assert type(waiting[0].exception()) is CancelledCallError
        assert waiting[1].exception() is None

    run(main())
