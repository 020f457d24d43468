"""Whatever happens in whatever order: every future ends once, with its own answer or a reason that applies to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.caller import Caller, Priority
from kunnafoni.engine.policy import Policy
from kunnafoni.engine.runner import Answer, OutputCountError
from kunnafoni.errors import DeadlineError, DrainingError, InvalidInputError, OverloadedError
from tests.service.engine.fakes import FakeModel, FakeRow, PoisonError, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TEXTS = "abcdefgh"
POLICIES = st.builds(
    Policy,
    batch_tokens=st.just(100),
    batch_rows=st.integers(1, 5),
    max_wait_ms=st.sampled_from([0.0, 5.0, 1500.0]),
    window_batches=st.integers(1, 3),
    queue_tokens=st.integers(100, 400),
    job_turn=st.integers(1, 3),
)
ROWS = st.builds(
    FakeRow,
    text=st.sampled_from(TEXTS),
    length=st.sampled_from([5, 10, 40]),
    weight=st.sampled_from([1, 20, 60, 100, 101]),
    decoding=st.sampled_from(["greedy", "beam"]),
)
DELAYS_S = st.sampled_from([0.0, 0.25, 1.0, 2.5, 7.0])


@dataclass(frozen=True)
class Call:
    """One caller: when it comes, what it submits, when it gives up or hangs up."""

    begin_s: float
    rows: tuple[FakeRow, ...]
    priority: Priority
    patience_s: float | None
    hangs_up_s: float | None


CALLS = st.lists(
    st.builds(
        Call,
        begin_s=DELAYS_S,
        rows=st.lists(ROWS, max_size=8).map(tuple),
        priority=st.sampled_from(Priority),
        patience_s=st.none() | DELAYS_S,
        hangs_up_s=st.none() | DELAYS_S,
    ),
    max_size=8,
)


async def make(
    call: Call, batcher: Batcher[FakeRow, str], *, continuous_batching: bool
) -> list[Answer[str] | BaseException]:
    """Play one caller to its end."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(call.begin_s)
    deadline_s = None if call.patience_s is None else loop.time() + call.patience_s
    caller = Caller(deadline_s=deadline_s, priority=call.priority)
    if call.hangs_up_s is not None:
        loop.call_later(call.hangs_up_s, caller.cancel)
    rows = [replace(row, background=continuous_batching and call.priority is Priority.JOB) for row in call.rows]
    work = [asyncio.create_task(batcher.submit(row, caller=caller)) for row in rows]
    results = await asyncio.gather(*work, return_exceptions=True)
    if deadline_s is not None and call.rows:
        assert loop.time() <= deadline_s
    return results


def check(row: FakeRow, result: Answer[str] | BaseException, call: Call, model: FakeModel, *, drained: bool) -> None:
    """Whether a row may have ended like this."""
    match result:
        case Answer():
            assert result.output == f"<{row.text}>"
        case PoisonError():
            assert result.args == (row.text,), "a row failed for the sake of another"
        case OutputCountError():
            assert row.text in model.miscount
        case InvalidInputError():
            assert row.weight > 100
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
    policy=POLICIES,
    continuous_batching=st.booleans(),
    calls=CALLS,
    poison=st.sets(st.sampled_from(TEXTS), max_size=2),
    miscount=st.sets(st.sampled_from(TEXTS), max_size=2),
    drain_s=st.none() | DELAYS_S,
    grace_s=DELAYS_S,
)
def test_every_future_ends_once_and_with_its_own_answer(
    *,
    policy: Policy,
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

        async def watched(rows: Sequence[FakeRow], answer: Callable[[int, str], None]) -> list[str]:
            running.update(row.background for row in rows)
            # Of a batch that failed the rows are tried again at once, whoever has their seats by then.
            assert poison or miscount or max(running.values()) <= policy.batch_rows
            try:
                return await model(rows, answer)
            finally:
                running.subtract(row.background for row in rows)

        batcher = Batcher(
            watched,
            policy,
            parallel=policy.batch_rows if continuous_batching else 1,
            continuous_batching=continuous_batching,
        )
        made = [asyncio.create_task(make(call, batcher, continuous_batching=continuous_batching)) for call in calls]
        if drain_s is not None:
            await asyncio.sleep(drain_s)
            await batcher.drain(grace_s)
        for call, task in zip(calls, made, strict=True):
            for row, result in zip(call.rows, await task, strict=True):
                check(row, result, call, model, drained=drain_s is not None)
        stats = batcher.stats()
        assert (stats.queued_rows, stats.queued_tokens) == (0, 0)
        await batcher.close()
        for batch in model.batches:
            assert len(batch) <= policy.batch_rows

    run(main())
