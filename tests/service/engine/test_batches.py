"""Which sequences share a batch, when it starts, and how it ends; how a batcher ends is in `test_shutdown`."""

from __future__ import annotations

import asyncio

import pytest

from kunnafoni.engine.batch_runner import Completion, OutputCountError
from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.request_context import Priority, RequestContext
from kunnafoni.engine.scheduler_config import SchedulerConfig
from kunnafoni.errors import InvalidInputError
from tests.service.engine.fakes import FakeModel, FakeSequence, PoisonError, run, texts

CONFIG = SchedulerConfig(max_batch_tokens=100, max_batch_sequences=4, max_queue_tokens=10_000)


def answers(
    model: FakeModel, config: SchedulerConfig, *sequences: FakeSequence
) -> list[Completion[str] | BaseException]:
    """Submit the sequences of one request at once, in a batcher of their own."""

    async def main() -> list[Completion[str] | BaseException]:
        batcher = Batcher(model, config)
        with RequestContext() as context:
            work = [batcher.submit(sequence, context=context) for sequence in sequences]
            results = await asyncio.gather(*work, return_exceptions=True)
        await batcher.close()
        return results

    return run(main())


def test_every_sequence_gets_its_own_output_and_times() -> None:
    model = FakeModel(batch_s=2.0)
    results = answers(model, CONFIG, *(FakeSequence(str(number)) for number in range(6)))
    assert texts(results) == [f"<{number}>" for number in range(6)]
    assert model.batches == [["0", "1", "2", "3"], ["4", "5"]]
    waits = [(round(each.queue_ms), round(each.inference_ms)) for each in results if isinstance(each, Completion)]
    assert waits == [(0, 2000)] * 4 + [(2000, 2000)] * 2


def test_a_sequence_that_finishes_before_its_batch_is_completed_then() -> None:
    async def main() -> None:
        model = FakeModel(early_s={"b": 0.2, "c": 0.7})
        batcher = Batcher(model, CONFIG)
        with RequestContext() as context:
            work = [asyncio.create_task(batcher.submit(FakeSequence(text), context=context)) for text in "abc"]
            assert (await work[1]).inference_ms == pytest.approx(200)
            again = await batcher.submit(FakeSequence("b"), context=context)
            answers = [*await asyncio.gather(*work), again]
        assert texts(answers) == ["<a>", "<b>", "<c>", "<b>"]
        assert [round(each.inference_ms) for each in answers] == [1000, 200, 700, 200]
        assert model.batches == [["a", "b", "c"], ["b"]]
        await batcher.close()

    run(main())


def test_outputs_reported_before_a_batch_fails_stand() -> None:
    model = FakeModel(poison={"b"}, early_s={"a": 0.5})
    assert texts(answers(model, CONFIG, *map(FakeSequence, "abc"))) == ["<a>", "PoisonError", "<c>"]
    assert model.batches == [["a", "b", "c"], ["b"], ["c"]]


def test_the_last_unfinished_sequence_is_retried_alone() -> None:
    model = FakeModel(miscount={"b"}, early_s={"a": 0.5})
    assert texts(answers(model, CONFIG, *map(FakeSequence, "ab"))) == ["<a>", "OutputCountError"]
    assert model.batches == [["a", "b"], ["b"]]


def test_outputs_reported_after_a_batch_has_failed_are_ignored() -> None:
    model = FakeModel(poison={"b"}, early_s={"a": 1.5})
    assert texts(answers(model, CONFIG, *map(FakeSequence, "ab"))) == ["<a>", "PoisonError"]
    assert model.batches == [["a", "b"], ["a"], ["b"]]


def test_a_batch_that_fails_after_every_output_fails_no_sequence() -> None:
    model = FakeModel(poison={"b"}, early_s={"a": 0.5, "b": 0.5})
    assert texts(answers(model, CONFIG, *map(FakeSequence, "ab"))) == ["<a>", "<b>"]
    assert model.batches == [["a", "b"]]


def test_a_batch_is_bounded_by_sequences_times_the_highest_token_cost() -> None:
    model = FakeModel()
    answers(
        model,
        CONFIG,
        FakeSequence("a", token_cost=10),
        FakeSequence("b", token_cost=40),
        FakeSequence("c", token_cost=40),
        FakeSequence("d"),
    )
    assert model.batches == [["a", "d"], ["b", "c"]]


def test_sequences_of_similar_length_share_a_batch() -> None:
    model = FakeModel()
    sequences = [FakeSequence(f"{length}", prompt_tokens=length) for length in (15, 33, 0, 47, 10, 32, 16)]
    answers(model, CONFIG, *sequences)
    assert model.batches == [["15", "10", "0"], ["33", "32", "47"], ["16"]]


def test_sequences_of_similar_token_cost_share_a_batch() -> None:
    model = FakeModel()
    sequences = [
        FakeSequence(f"{token_cost}", token_cost=token_cost) for token_cost in (10, 24, 11, 25, 12, 23, 13, 22)
    ]
    answers(model, CONFIG, *sequences)
    assert model.batches == [["10", "11", "12", "13"], ["24", "25", "23", "22"]]


def test_a_batch_is_decoded_one_way() -> None:
    model = FakeModel()
    sequences = [FakeSequence(f"{decoding}{n}", decoding=decoding) for n in range(2) for decoding in ("beam", "greedy")]
    answers(model, CONFIG, *sequences)
    assert model.batches == [["beam0", "beam1"], ["greedy0", "greedy1"]]


def test_a_batch_is_chosen_only_within_the_window() -> None:
    model = FakeModel()
    config = SchedulerConfig(max_batch_tokens=100, max_batch_sequences=2, window_batches=2)
    sequences = [
        FakeSequence("0", prompt_tokens=10),
        *(FakeSequence(str(n), prompt_tokens=90) for n in range(1, 8)),
        FakeSequence("8", prompt_tokens=10),
    ]
    answers(model, config, *sequences)
    assert model.batches == [["0"], ["1", "2"], ["3", "4"], ["5", "6"], ["7"], ["8"]]


def test_requests_that_were_answered_together_share_the_next_batch() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, SchedulerConfig(max_wait_ms=5))
        # (a) finds the model idle. Then two requests run or wait at any time, until (f) is alone; (g) comes when the
        # batcher waits for no other request.
        await asyncio.gather(
            *(
                late(batcher, text, at_s)
                for text, at_s in (("a", 0), ("b", 0.5), ("c", 0.6), ("d", 2.008), ("e", 2.009), ("f", 3.011))
            )
        )
        assert model.batches == [["a"], ["b", "c"], ["d", "e"], ["f"]]
        assert model.began_s == pytest.approx([0, 1.005, 2.010, 3.015])
        await late(batcher, "g", 1.0)
        assert model.began_s[-1] == pytest.approx(5.015)
        await batcher.close()

    run(main())


def test_a_single_request_never_waits_for_others() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, SchedulerConfig(max_wait_ms=5))
        for number in range(3):
            await late(batcher, str(number), 0.001)
        assert model.began_s == pytest.approx([0.001, 1.002, 2.003])
        await batcher.close()

    run(main())


async def late(batcher: Batcher[FakeSequence, str], text: str, delay_s: float) -> Completion[str]:
    """Submit a sequence of a new request after a while."""
    await asyncio.sleep(delay_s)
    return await batcher.submit(FakeSequence(text), context=RequestContext())


def test_a_full_batch_does_not_wait() -> None:
    model = FakeModel()
    answers(model, CONFIG, *(FakeSequence(str(number)) for number in range(8)))
    assert model.began_s == [0.0, 1.0]


def test_parallel_batches_share_what_waits() -> None:
    model = FakeModel()

    async def main() -> tuple[float, float]:
        batcher = Batcher(model, CONFIG, parallel=2)
        with RequestContext() as context:
            await asyncio.gather(*(batcher.submit(FakeSequence(f"{n}"), context=context) for n in range(6)))
            assert (batcher.stats().running_sequences, batcher.stats().drain_tokens_per_s) == (0, 120)
            first = asyncio.create_task(batcher.submit(FakeSequence("first"), context=context))
            await asyncio.sleep(0.5)
            assert batcher.stats().running_sequences == 1
            began_s = asyncio.get_running_loop().time()
            await batcher.submit(FakeSequence("second"), context=context)
            elapsed_s = asyncio.get_running_loop().time() - began_s
            await first
        await batcher.close()
        return began_s, elapsed_s

    began_s, elapsed_s = run(main())
    assert model.batches[:2] == [["0", "1", "2"], ["3", "4", "5"]]
    assert model.began_s[:2] == [0.0, 0.0]
    assert (began_s, elapsed_s) == (1.5, 1.0)


def test_a_sequence_over_the_token_budget_is_refused_at_once() -> None:
    model = FakeModel()
    (result,) = answers(model, CONFIG, FakeSequence("a", token_cost=101))
    assert isinstance(result, InvalidInputError)
    assert not model.batches


def test_a_poisonous_sequence_fails_alone() -> None:
    model = FakeModel(poison={"2"})
    results = answers(model, CONFIG, *(FakeSequence(str(number)) for number in range(5)))
    assert texts(results) == ["<0>", "<1>", "PoisonError", "<3>", "<4>"]
    assert model.batches == [["0", "1", "2", "3"], ["0", "1"], ["2", "3"], ["2"], ["3"], ["4"]]


def test_a_batch_with_too_few_outputs_gives_no_wrong_output() -> None:
    model = FakeModel(miscount={"1"})
    results = answers(model, CONFIG, *(FakeSequence(str(number)) for number in range(4)))
    assert texts(results) == ["<0>", "OutputCountError", "<2>", "<3>"]
    assert isinstance(results[1], OutputCountError)


def test_failed_batches_are_counted() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(poison={"a"}), CONFIG)
        context = RequestContext()
        work = [batcher.submit(FakeSequence(text), context=context) for text in "abc"]
        results = await asyncio.gather(*work, return_exceptions=True)
        assert [isinstance(result, PoisonError) for result in results] == [True, False, False]
        stats = batcher.stats()
        assert (stats.batches, stats.sequences, stats.failed_batches) == (3, 6, 2)
        assert (stats.queued_sequences, stats.queued_tokens, stats.running_sequences) == (0, 0, 0)
        await batcher.close()

    run(main())


def test_padding_and_drain_rate_are_measured() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(batch_s=2.0), SchedulerConfig(max_batch_tokens=100, max_batch_sequences=2))
        context = RequestContext()
        assert batcher.stats().drain_tokens_per_s == 0
        sequences = FakeSequence("a", token_cost=10), FakeSequence("b", token_cost=30)
        await asyncio.gather(*(batcher.submit(sequence, context=context) for sequence in sequences))
        stats = batcher.stats()
        assert stats.padding_share == pytest.approx(1 - 40 / 60)
        assert stats.drain_tokens_per_s == pytest.approx(40 / 2.0)
        await batcher.close()

    run(main())


def test_sequences_of_a_job_that_an_interactive_request_shares_are_one_batch() -> None:
    model = FakeModel(batch_s=1.0)

    async def main() -> None:
        batcher = Batcher(model, CONFIG)
        with RequestContext() as person, RequestContext(priority=Priority.JOB) as job:
            sequences = [FakeSequence(f"{number}") for number in range(4)]
            work = [asyncio.create_task(batcher.submit(FakeSequence("before"), context=person))]
            await asyncio.sleep(0.1)
            for context in (job, person):
                work += [asyncio.create_task(batcher.submit(sequence, context=context)) for sequence in sequences]
            await asyncio.gather(*work)
        await batcher.close()

    run(main())
    assert model.batches == [["before"], ["0", "1", "2", "3"]]


@pytest.mark.parametrize(
    "wrong",
    [{"max_batch_sequences": 0}, {"max_wait_ms": -1}, {"max_queue_tokens": 10}],
)
def test_a_config_that_cannot_work_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        SchedulerConfig(**wrong)
