"""Runs a batch on the model and answers whoever waits for its rows, when each ends. It knows no queues and no order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kunnafoni.engine.caller import fail
from kunnafoni.engine.fair_queue import RowT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kunnafoni.engine.fair_queue import Slot
    from kunnafoni.engine.meter import Meter

LOG = logging.getLogger(__name__)
OutputT = TypeVar("OutputT")


@dataclass(frozen=True, slots=True)
class Answer(Generic[OutputT]):
    """What became of one row.

    Attributes:
        queue_ms: From submission until its batch began; 0 for a row that joined an equal one on the model.
        inference_ms: From when its batch began until it was answered, time that it shared with the other rows.
        cached: True if nothing ran for it: it was remembered, or joined an equal row.
    """

    output: OutputT
    queue_ms: float = 0.0
    inference_ms: float = 0.0
    cached: bool = False


class OutputCountError(Exception):
    """The model returned another number of outputs than it was given rows, so nobody knows whose they are."""


Model = Callable[[Sequence[RowT], Callable[[int, OutputT], None]], Awaitable[Sequence[OutputT]]]


class Runner(Generic[RowT, OutputT]):
    """Runs batches.

    A batch that fails is tried again in two halves, and so on down to single rows: one poisonous row costs its
    neighbours a few batch times and not their answers, and a batch too big for the memory runs in parts.

    Args:
        model: See `Batcher`.
        meter: Where batches are counted.
        forget: Told of each slot that is done, just before its waiters are.
    """

    def __init__(
        self,
        model: Model[RowT, OutputT],
        meter: Meter,
        forget: Callable[[Slot[RowT]], None],
    ) -> None:
        self._model = model
        self._meter = meter
        self._forget = forget

    async def run(self, batch: Sequence[Slot[RowT]]) -> None:
        """Run those rows for which anybody still waits. Whatever the model raises goes to the waiters."""
        wanted = [slot for slot in batch if slot.wanted]
        for slot in batch:
            if slot not in wanted:
                self._meter.dropped_rows += 1
                self._forget(slot)
        if not wanted:
            return
        now_s = asyncio.get_running_loop().time
        begin_s = now_s()
        self._meter.batch_begins([slot.row for slot in wanted], begin_s)
        unanswered = dict(enumerate(wanted))

        def answer(number: int, output: OutputT) -> None:
            if slot := unanswered.pop(number, None):
                self._meter.row_ends(slot.row, now_s())
                self._answer(slot, output, begin_s, now_s() - begin_s)

        try:
            outputs = await self._outputs(wanted, answer)
        except Exception as error:  # noqa: BLE001 - whatever a model raises belongs to the callers of its rows
            rest = list(unanswered.values())
            unanswered.clear()
            for slot in rest:
                self._meter.row_ends(slot.row, now_s(), answered=False)
            answered_tokens = _weight(wanted) - _weight(rest)
            self._meter.batch_ends(answered_tokens, now_s() - begin_s)
            await self._isolate(rest, error, alone=len(wanted) == 1)
        else:
            self._meter.batch_ends(_weight(wanted), now_s() - begin_s)
            for number, output in enumerate(outputs):
                answer(number, output)
        finally:
            # Of a batch that is no longer waited for, the model may still tell.
            unanswered.clear()

    async def _outputs(self, batch: Sequence[Slot[RowT]], answer: Callable[[int, OutputT], None]) -> Sequence[OutputT]:
        outputs = await self._model([slot.row for slot in batch], answer)
        if len(outputs) != len(batch):
            raise OutputCountError(f"{len(outputs)} outputs for {len(batch)} rows")
        return outputs

    async def _isolate(self, unanswered: Sequence[Slot[RowT]], error: Exception, *, alone: bool) -> None:
        self._meter.failed_batches += 1
        if not alone:
            LOG.warning("a batch failed (%s); trying its %d rows in halves", type(error).__name__, len(unanswered))
            half = len(unanswered) // 2
            await self.run(unanswered[:half])
            await self.run(unanswered[half:])
            return
        for slot in unanswered:
            self._forget(slot)
            for future in slot.waiters:
                fail(future, error)

    def _answer(self, slot: Slot[RowT], output: OutputT, begin_s: float, elapsed_s: float) -> None:
        self._forget(slot)
        shared = False
        for future, submit_s in slot.waiters.items():
            if not future.done():
                queue_ms = max(begin_s - submit_s, 0.0) * 1000
                future.set_result(Answer(output, queue_ms, elapsed_s * 1000, cached=shared))
                shared = True


def _weight(slots: Iterable[Slot[Any]]) -> int:
    return sum(slot.row.weight for slot in slots)
