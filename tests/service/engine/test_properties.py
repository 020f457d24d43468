"""Whatever happens in any order: every future ends once, with its own output or an error that applies to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from kunnafoni.engine.batch_runner import Completion, OutputCountError
from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.request_context import Priority, RequestContext
from kunnafoni.engine.scheduler_config import SchedulerConfig
from kunnafoni.errors import DeadlineError, DrainingError, InvalidInputError, OverloadedError
from tests.service.engine.fakes import FakeModel, FakeSequence, PoisonError, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TEXTS = "abcdefgh"
CONFIGS = st.builds(
    SchedulerConfig,
    max_batch_tokens=st.just(100),
    max_batch_sequences=st.integers(1, 5),
    max_wait_ms=st.sampled_from([0.0, 5.0, 1500.0]),
    window_batches=st.integers(1, 3),
    max_queue_tokens=st.integers(100, 400),
    batches_per_job_batch=st.integers(1, 3),
)
SEQUENCES = st.builds(
    FakeSequence,
    text=st.sampled_from(TEXTS),
    prompt_tokens=st.sampled_from([5, 10, 40]),
    token_cost=st.sampled_from([1, 20, 60, 100, 101]),
    decoding=st.sampled_from(["greedy", "beam"]),
)
DELAYS_S = st.sampled_from([0.0, 0.25, 1.0, 2.5, 7.0])


@dataclass(frozen=True)
class Call:
    """One request: when it starts, what it submits, its deadline, and when it is cancelled."""

    begin_s: float
    sequences: tuple[FakeSequence, ...]
    priority: Priority
    patience_s: float | None
    hangs_up_s: float | None


CALLS = st.lists(
    st.builds(
        Call,
        begin_s=DELAYS_S,
        sequences=st.lists(SEQUENCES, max_size=8).map(tuple),
        priority=st.sampled_from(Priority),
        patience_s=st.none() | DELAYS_S,
        hangs_up_s=st.none() | DELAYS_S,
    ),
    max_size=8,
)


async def make(
    call: Call, batcher: Batcher[FakeSequence, str], *, continuous_batching: bool
) -> list[Completion[str] | BaseException]:
    """Run one request to its end."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(call.begin_s)
    deadline_s = None if call.patience_s is None else loop.time() + call.patience_s
    context = RequestContext(deadline_s=deadline_s, priority=call.priority)
    if call.hangs_up_s is not None:
        loop.call_later(call.hangs_up_s, context.cancel)
    sequences = [
        replace(sequence, background=continuous_batching and call.priority is Priority.JOB)
        for sequence in call.sequences
    ]
    work = [asyncio.create_task(batcher.submit(sequence, context=context)) for sequence in sequences]
    results = await asyncio.gather(*work, return_exceptions=True)
    if deadline_s is not None and call.sequences:
        assert loop.time() <= deadline_s
    return results


def check(
    sequence: FakeSequence, result: Completion[str] | BaseException, call: Call, model: FakeModel, *, drained: bool
) -> None:
    """Whether a sequence may have ended like this."""
    match result:
        case Completion():
            assert result.output == f"<{sequence.text}>"
        case PoisonError():
            assert result.args == (sequence.text,), "a sequence failed for the sake of another"
        case OutputCountError():
            assert sequence.text in model.miscount
        case InvalidInputError():
            assert sequence.token_cost > 100
        case OverloadedError():
            assert call.priority is Priority.INTERACTIVE
        case DeadlineError():
            assert call.patience_s is not None
        case DrainingError():
            assert drained
        case _:
            assert call.hangs_up_s is not None, result


@settings(max_examples=200, deadline=None)
@given(
    config=CONFIGS,
    continuous_batching=st.booleans(),
    calls=CALLS,
    poison=st.sets(st.sampled_from(TEXTS), max_size=2),
    miscount=st.sets(st.sampled_from(TEXTS), max_size=2),
    drain_s=st.none() | DELAYS_S,
    grace_s=DELAYS_S,
)
def test_every_future_ends_once_and_with_its_own_output(
    *,
    config: SchedulerConfig,
    continuous_batching: bool,
    calls: list[Call],
    poison: set[str],
    miscount: set[str],
    drain_s: float | None,
    grace_s: float,
) -> None:
    async def main() -> None:
        model = FakeModel(poison=poison, miscount=miscount - poison)
        running: Counter[bool] = Counter()

        async def watched(sequences: Sequence[FakeSequence], answer: Callable[[int, str], None]) -> list[str]:
            running.update(sequence.background for sequence in sequences)
            # The sequences of a failed batch are retried at once, even if others have their slots by then.
            assert poison or miscount or max(running.values()) <= config.max_batch_sequences
            try:
                return await model(sequences, answer)
            finally:
                running.subtract(sequence.background for sequence in sequences)

        batcher = Batcher(
            watched,
            config,
            parallel=config.max_batch_sequences if continuous_batching else 1,
            continuous_batching=continuous_batching,
        )
        made = [asyncio.create_task(make(call, batcher, continuous_batching=continuous_batching)) for call in calls]
        if drain_s is not None:
            await asyncio.sleep(drain_s)
            await batcher.drain(grace_s)
        for call, task in zip(calls, made, strict=True):
            for sequence, result in zip(call.sequences, await task, strict=True):
                check(sequence, result, call, model, drained=drain_s is not None)
        stats = batcher.stats()
        assert (stats.queued_sequences, stats.queued_tokens) == (0, 0)
        await batcher.close()
        for batch in model.batches:
            assert len(batch) <= config.max_batch_sequences

    run(main())
