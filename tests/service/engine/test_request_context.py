"""Requests that are cancelled, whose deadline passes, or that share a sequence."""

from __future__ import annotations

import asyncio
import gc
from weakref import WeakSet

import pytest

from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.fair_queue import QueueEntry
from kunnafoni.engine.request_context import Priority, RequestContext
from kunnafoni.engine.scheduler_config import SchedulerConfig
from kunnafoni.errors import CancelledCallError, DeadlineError
from tests.service.engine.fakes import FakeModel, FakeSequence, PoisonError, run

CONFIG = SchedulerConfig(max_batch_tokens=100, max_batch_sequences=4, max_queue_tokens=100_000)


def begin(batcher: Batcher[FakeSequence, str], context: RequestContext, *texts: str) -> list[asyncio.Task[object]]:
    async def one(text: str) -> object:
        return (await batcher.submit(FakeSequence(text), context=context)).output

    return [asyncio.create_task(one(text)) for text in texts]


def test_queued_sequences_of_a_cancelled_request_never_reach_the_model() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        with RequestContext() as gone:
            lost = begin(batcher, gone, *"abcdefgh")
            await asyncio.sleep(0.5)
            stays = begin(batcher, RequestContext(), "z")
            await asyncio.sleep(0)
        await asyncio.gather(*stays)
        assert model.batches == [["a", "b", "c", "d"], ["z"]]
        assert all(task.cancelled() for task in lost)
        assert batcher.stats().dropped_sequences == 4
        with pytest.raises(CancelledCallError):
            await batcher.submit(FakeSequence("later"), context=gone)
        await batcher.close()

    run(main())


def test_cancelling_one_task_drops_its_sequence_only() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        tasks = begin(batcher, RequestContext(), *"abcdef")
        await asyncio.sleep(0.5)
        tasks[4].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert model.batches == [["a", "b", "c", "d"], ["f"]]
        await batcher.close()

    run(main())


def test_a_sequence_cancelled_in_the_instant_of_its_batch_does_not_run() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, SchedulerConfig(max_batch_tokens=100, max_batch_sequences=4, max_wait_ms=5))
        before = begin(batcher, RequestContext(), "0")
        await asyncio.sleep(0.5)
        tasks = begin(batcher, RequestContext(), *"ab")
        # The batch is chosen after the wait for more sequences; this timer is set first, so it fires just before.
        asyncio.get_running_loop().call_at(1.005, tasks[0].cancel)
        await asyncio.gather(*before, *tasks, return_exceptions=True)
        assert model.batches == [["0"], ["b"]]
        await batcher.close()

    run(main())


def test_a_thousand_cancelled_calls_leave_nothing_behind() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        busy = begin(batcher, RequestContext(), "busy")
        await asyncio.sleep(0.1)
        contexts: WeakSet[RequestContext] = WeakSet()

        async def call_and_go(name: str) -> None:
            with RequestContext(deadline_s=1000.0) as context:
                contexts.add(context)
                work = begin(batcher, context, *(f"{name}-{n}" for n in range(5)))
                await asyncio.sleep(0.1)
            await asyncio.gather(*work, return_exceptions=True)

        await asyncio.gather(*(call_and_go(f"gone{n}") for n in range(1000)))
        await asyncio.sleep(0)  # the step that gather woke still holds its tasks
        gc.collect()
        assert not contexts
        assert sum(type(each) is QueueEntry for each in gc.get_objects()) == 1, "the busy one"
        stats = batcher.stats()
        assert (stats.queued_sequences, stats.queued_tokens, stats.dropped_sequences) == (0, 0, 5000)
        await asyncio.gather(*busy, *begin(batcher, RequestContext(), "after"))
        assert model.seen == ["busy", "after"]
        await batcher.close()

    gc.collect()
    run(main())


def test_a_deadline_holds_while_a_sequence_waits() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        others = begin(batcher, RequestContext(), *(str(n) for n in range(40)))
        await asyncio.sleep(0.1)
        hurried = RequestContext(deadline_s=1.25)
        (late,) = begin(batcher, hurried, *"x")
        impatient = RequestContext(deadline_s=0.5)
        with pytest.raises(DeadlineError):
            await asyncio.gather(*begin(batcher, impatient, *"ab"))
        assert loop.time() == 0.5
        with pytest.raises(DeadlineError):
            await late  # it is on the model by then; its output comes too late
        assert loop.time() == 1.25
        with pytest.raises(DeadlineError):
            await batcher.submit(FakeSequence("y"), context=hurried)
        assert "a" not in model.seen
        assert "b" not in model.seen
        await asyncio.gather(*others)
        await batcher.close()

    run(main())


def test_equal_sequences_in_flight_run_once() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        queued = [*begin(batcher, RequestContext(), "a", "b"), *begin(batcher, RequestContext(), "a")]
        await asyncio.sleep(0.5)
        running = begin(batcher, RequestContext(), "a")
        results = await asyncio.gather(*queued, *running)
        assert results == ["<a>", "<b>", "<a>", "<a>"]
        assert model.batches == [["a", "b"]]
        assert batcher.stats().shared_sequences == 2
        twice = await asyncio.gather(*(batcher.submit(FakeSequence("c"), context=RequestContext()) for _ in range(2)))
        assert [answer.cached for answer in twice] == [False, True]
        assert await asyncio.gather(*begin(batcher, RequestContext(), "a")) == ["<a>"], (
            "a finished sequence is not remembered here"
        )
        assert model.batches == [["a", "b"], ["c"], ["a"]]
        await batcher.close()

    run(main())


def test_a_request_that_shares_a_sequence_survives_the_others() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        begin(batcher, RequestContext(), *"1234")
        await asyncio.sleep(0.1)
        with RequestContext() as first:
            gone = begin(batcher, first, "a", "b")
            stays = begin(batcher, RequestContext(), "a")
            await asyncio.sleep(0.1)
        assert await asyncio.gather(*stays) == ["<a>"]
        assert all(task.cancelled() for task in gone)
        assert model.batches == [["1", "2", "3", "4"], ["a"]]
        await batcher.close()

    run(main())


def test_an_interactive_request_that_shares_the_sequence_of_a_job_does_not_wait_like_the_job() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        job = begin(batcher, RequestContext(priority=Priority.JOB), *(str(n) for n in range(40)))
        await asyncio.sleep(0.5)
        assert await asyncio.gather(*begin(batcher, RequestContext(), "39")) == ["<39>"]
        assert model.batches[:2] == [["0", "1", "2", "3"], ["39"]]
        await asyncio.gather(*job)
        await batcher.close()

    run(main())


def test_all_requests_that_share_a_poisonous_sequence_fail() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(poison={"a"}), CONFIG)
        work = [*begin(batcher, RequestContext(), "a"), *begin(batcher, RequestContext(), "a", "b")]
        results = await asyncio.gather(*work, return_exceptions=True)
        assert [type(result) for result in results] == [PoisonError, PoisonError, str]
        await batcher.close()

    run(main())


def test_unwanted_sequences_of_a_failed_batch_are_not_retried() -> None:
    async def main() -> None:
        model = FakeModel(poison={"a"})
        batcher = Batcher(model, CONFIG)
        work = begin(batcher, RequestContext(), *"abcd")
        await asyncio.sleep(0.5)
        work[2].cancel()
        work[3].cancel()
        results = await asyncio.gather(*work, return_exceptions=True)
        assert isinstance(results[0], PoisonError)
        assert results[1] == "<b>"
        assert model.batches == [["a", "b", "c", "d"], ["a", "b"], ["a"], ["b"]]
        await batcher.close()

    run(main())


async def test_small_work_of_one_request_does_not_delay_another() -> None:
    done: list[str] = []
    many, one = RequestContext(), RequestContext()
    crowd = [asyncio.create_task(many.run_and_yield(lambda: done.append("many"))) for _ in range(100)]
    await asyncio.sleep(0)
    await one.run_and_yield(lambda: done.append("one"))
    assert done.index("one") < 5
    await asyncio.gather(*crowd)
    assert done.count("many") == 100
