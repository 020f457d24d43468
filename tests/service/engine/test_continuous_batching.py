"""Continuous batching: when sequences start, how many run, and how they end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.request_context import Priority, RequestContext
from kunnafoni.engine.scheduler_config import SchedulerConfig
from tests.service.engine.fakes import FakeModel, FakeSequence, run, texts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kunnafoni.engine.batch_runner import Completion
    from kunnafoni.engine.batcher import IsContended

CONFIG = SchedulerConfig(max_batch_tokens=10_000, max_batch_sequences=4, max_queue_tokens=20_000)


def submit(
    batcher: Batcher[FakeSequence, str], context: RequestContext, *sequences: str
) -> list[asyncio.Task[Completion[str]]]:
    background = context.priority is Priority.JOB
    made = [FakeSequence(text, background=background) for text in sequences]
    return [asyncio.create_task(batcher.submit(sequence, context=context)) for sequence in made]


def test_a_sequence_starts_before_the_running_batch_has_ended() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG, parallel=4, continuous_batching=True)
        with RequestContext() as context, RequestContext() as other:
            work = submit(batcher, context, "a", "b")
            await asyncio.sleep(0.4)
            [late] = submit(batcher, other, "late")
            answers = [await each for each in (*work, late)]
        assert texts(answers) == ["<a>", "<b>", "<late>"]
        assert model.batches == [["a", "b"], ["late"]]
        assert model.began_s == pytest.approx([0, 0.4])
        assert batcher.stats().running_sequences == 0
        await batcher.close()

    run(main())


@pytest.mark.parametrize(("parallel", "most"), [(4, 4), (2, 2), (9, 4)])
def test_no_more_sequences_run_than_there_are_slots(parallel: int, most: int) -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG, parallel=parallel, continuous_batching=True)
        with RequestContext() as context:
            work = submit(batcher, context, *"abcdefg")
            await asyncio.sleep(0.5)
            assert batcher.stats().running_sequences == most
            await asyncio.gather(*work)
        assert next(len(batch) for batch in model.batches) == most
        await batcher.close()

    run(main())


def test_a_beam_takes_as_many_slots_as_it_is_wide() -> None:
    async def main() -> None:
        model = FakeModel(early_s={"1": 0.1, "3": 0.1})
        batcher = Batcher(model, CONFIG, parallel=4, continuous_batching=True)
        wide = [FakeSequence(text, decoding="beam", slots=3) for text in "1234"]
        with RequestContext() as context, RequestContext() as other:
            work = [asyncio.create_task(batcher.submit(sequence, context=context)) for sequence in wide]
            await asyncio.sleep(0)
            work += submit(batcher, other, "line")
            answers = await asyncio.gather(*work)
        assert texts(answers) == ["<1>", "<2>", "<3>", "<4>", "<line>"]
        assert model.batches == [["1"], ["line"], ["2"], ["3"], ["4"]]
        assert batcher.stats().running_sequences == 0
        await batcher.close()

    run(main())


def test_a_sequence_that_finishes_early_frees_its_slot_for_the_next() -> None:
    async def main() -> None:
        model = FakeModel(early_s={"b": 0.2})
        batcher = Batcher(model, CONFIG, parallel=4, continuous_batching=True)
        with RequestContext() as context:
            await asyncio.gather(*submit(batcher, context, *"abcde"))
        assert model.batches == [["a", "b", "c", "d"], ["e"]]
        assert model.began_s == pytest.approx([0, 0.2])
        await batcher.close()

    run(main())


def test_sequences_join_several_at_a_time_while_nearly_all_slots_are_taken() -> None:
    async def main() -> None:
        early_s = {str(number): 0.1 * (number + 1) for number in range(9)}
        model = FakeModel(early_s=early_s)
        batcher = Batcher(
            model,
            SchedulerConfig(max_batch_tokens=10_000, max_batch_sequences=16),
            parallel=16,
            continuous_batching=True,
        )
        with RequestContext() as context:
            await asyncio.gather(*submit(batcher, context, *map(str, range(20))))
        assert [len(batch) for batch in model.batches] == [16, 2, 2]
        assert model.began_s == pytest.approx([0, 0.2, 0.4])
        await batcher.close()

    run(main())


def test_a_line_runs_beside_an_article_and_at_once_beside_a_job() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG, parallel=4, continuous_batching=True)
        with RequestContext() as article, RequestContext(priority=Priority.JOB) as job, RequestContext() as line:
            work = submit(batcher, job, *(f"job {number}" for number in range(40)))
            await asyncio.sleep(0.25)
            [early] = submit(batcher, line, "early")
            await early
            assert asyncio.get_running_loop().time() == pytest.approx(1.25)
            assert batcher.stats().running_sequences == 4
            work += submit(batcher, article, *(f"article {number}" for number in range(20)))
            await asyncio.sleep(0.25)
            assert batcher.stats().running_sequences == 8
            [late] = submit(batcher, line, "late")
            await late
            assert asyncio.get_running_loop().time() == pytest.approx(3.25)
            await asyncio.gather(*work)
        await batcher.close()

    run(main())


def test_an_interactive_request_for_the_sequence_of_a_job_does_not_wait_like_the_job() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG, parallel=4, continuous_batching=True)
        with RequestContext(priority=Priority.JOB) as job, RequestContext() as line:
            work = submit(batcher, job, *"abcdefgh")
            await asyncio.sleep(0.5)
            assert texts([*await asyncio.gather(*submit(batcher, line, *"ah"))]) == ["<a>", "<h>"]
            assert asyncio.get_running_loop().time() == pytest.approx(1.5)
            await asyncio.gather(*work)
        assert model.batches == [list("abcd"), list("ah"), list("efgh")]
        assert batcher.stats().running_sequences == 0
        await batcher.close()

    run(main())


def test_one_batch_in_so_many_is_for_jobs_while_other_models_wait() -> None:
    @asynccontextmanager
    async def acquire_processor() -> AsyncGenerator[IsContended]:
        yield lambda: True

    async def main() -> None:
        model = FakeModel()
        config = SchedulerConfig(max_batch_tokens=10_000, max_batch_sequences=4, batches_per_job_batch=3)
        batcher = Batcher(model, config, parallel=4, continuous_batching=True, acquire_processor=acquire_processor)
        with RequestContext(priority=Priority.JOB) as job, RequestContext() as line:
            work = submit(batcher, job, *"abcdef") + submit(batcher, line, *map(str, range(16)))
            await asyncio.gather(*work)
        assert ["".join(batch) for batch in model.batches] == ["0123", "4567", "abcd", "891011", "12131415", "ef"]
        await batcher.close()

    run(main())


def test_a_sequence_of_high_token_cost_is_not_starved() -> None:
    async def main() -> None:
        early_s = {f"sequence {number}": 0.1 + number % 97 / 100 for number in range(1000)}
        config = SchedulerConfig(max_batch_tokens=640, max_batch_sequences=64, max_queue_tokens=100_000)
        batcher = Batcher(FakeModel(early_s=early_s), config, parallel=64, continuous_batching=True)
        with RequestContext() as archive, RequestContext() as context:
            work = submit(batcher, archive, *early_s)
            await asyncio.sleep(0.5)
            await batcher.submit(FakeSequence("heavy", token_cost=600), context=context)
            assert asyncio.get_running_loop().time() < 3
            await asyncio.gather(*work)
        await batcher.close()

    run(main())


def test_a_poisonous_sequence_costs_the_others_no_output() -> None:
    async def main() -> None:
        model = FakeModel(poison={"b"}, miscount={"e"})
        batcher = Batcher(model, CONFIG, parallel=4, continuous_batching=True)
        with RequestContext() as context:
            results = await asyncio.gather(*submit(batcher, context, *"abcdef"), return_exceptions=True)
        assert texts(results) == ["<a>", "PoisonError", "<c>", "<d>", "OutputCountError", "<f>"]
        assert batcher.stats().running_sequences == 0
        await batcher.close()

    run(main())


def test_sequences_of_ended_requests_are_not_run() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG, parallel=4, continuous_batching=True)
        with RequestContext() as stays:
            kept = submit(batcher, stays, *"abcd")
            await asyncio.sleep(0.5)
            with RequestContext() as leaves:
                left = submit(batcher, leaves, *"efgh")
                await asyncio.sleep(0)
                for each in left:
                    each.cancel()
            await asyncio.gather(*kept)
        assert model.seen == list("abcd")
        assert batcher.stats().dropped_sequences == 4
        await batcher.close()

    run(main())


def test_shutdown_fails_what_waits_and_what_runs() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), CONFIG, parallel=4, continuous_batching=True)
        with RequestContext() as context:
            work = submit(batcher, context, *"abcdef")
            await asyncio.sleep(0.5)
            await batcher.close()
            results = await asyncio.gather(*work, return_exceptions=True)
        assert texts(results) == ["DrainingError"] * 6

    run(main())


def test_the_drain_rate_is_that_of_all_slots_together() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(batch_s=2.0), CONFIG, parallel=4, continuous_batching=True)
        with RequestContext() as context:
            await asyncio.gather(*submit(batcher, context, *"abcdefghijkl"))
        assert batcher.stats().drain_tokens_per_s == pytest.approx(4 * 20 / 2.0, rel=0.1)
        await asyncio.sleep(100)  # idle time is not counted
        with RequestContext() as context:
            await asyncio.gather(*submit(batcher, context, "lone"))
        assert 30 < batcher.stats().drain_tokens_per_s < 40
        await batcher.close()

    run(main())


def test_the_running_sequences_keep_within_the_token_budget() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(
            model,
            SchedulerConfig(max_batch_tokens=100, max_batch_sequences=64, max_queue_tokens=10_000),
            parallel=64,
            continuous_batching=True,
        )
        with RequestContext() as article, RequestContext() as line:
            work = [
                asyncio.create_task(batcher.submit(FakeSequence(str(number), token_cost=token_cost), context=article))
                for number, token_cost in enumerate([30] * 9 + [90])
            ]
            await asyncio.sleep(0.5)
            assert batcher.stats().running_sequences == 3
            [late] = submit(batcher, line, "line")
            await late
            assert asyncio.get_running_loop().time() == pytest.approx(2)
            await asyncio.gather(*work)
        assert batcher.stats().running_sequences == 0
        await batcher.close()

    run(main())
