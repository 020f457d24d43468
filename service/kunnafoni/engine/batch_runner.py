"""Runs batches on the model and resolves the futures of each sequence when it finishes. It knows no queues."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from kunnafoni.engine.fair_queue import SequenceT
from kunnafoni.engine.request_context import fail

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kunnafoni.engine.batcher_stats import StatsCollector
    from kunnafoni.engine.fair_queue import QueueEntry

LOG = logging.getLogger(__name__)
OutputT = TypeVar("OutputT")


@dataclass(frozen=True, slots=True)
class Completion(Generic[OutputT]):
    """The output of one sequence, and how long it took.

    Attributes:
        queue_ms: From submission until its batch started; 0 if it joined an equal sequence on the model.
        inference_ms: From the start of its batch until it finished; it shared this time with other sequences.
        cached: True if nothing ran for it: the output came from the cache, or from an equal sequence in flight.
    """

    output: OutputT
    queue_ms: float = 0.0
    inference_ms: float = 0.0
    cached: bool = False


class OutputCountError(Exception):
    """The model returned more or fewer outputs than sequences, so it is unknown which output belongs to which."""


Model = Callable[[Sequence[SequenceT], Callable[[int, OutputT], None]], Awaitable[Sequence[OutputT]]]


class BatchRunner(Generic[SequenceT, OutputT]):
    """Runs batches.

    A batch that fails is tried again in two halves, and so on down to single sequences: a poisonous sequence costs the
    others a few batch times and not their outputs, and a batch that is too big for the memory runs in parts.

    Args:
        model: See `Batcher`.
        stats: Where batches are counted.
        on_done: Called with each entry that is done, just before its futures are resolved.
    """

    def __init__(
        self,
        model: Model[SequenceT, OutputT],
        stats: StatsCollector,
        on_done: Callable[[QueueEntry[SequenceT]], None],
    ) -> None:
        self._model = model
        self._stats = stats
        self._on_done = on_done

    async def run(self, batch: Sequence[QueueEntry[SequenceT]]) -> None:
        """Run those sequences for which a request still waits. Whatever the model raises goes to their futures."""
        wanted = [entry for entry in batch if entry.wanted]
        for entry in batch:
            if entry not in wanted:
                self._stats.dropped_sequences += 1
                self._on_done(entry)
        if not wanted:
            return
        now_s = asyncio.get_running_loop().time
        start_s = now_s()
        self._stats.batch_started([entry.sequence for entry in wanted], start_s)
        unfinished = dict(enumerate(wanted))

        def on_output(index: int, output: OutputT) -> None:
            if entry := unfinished.pop(index, None):
                self._stats.sequence_ended(entry.sequence, now_s())
                self._complete(entry, output, start_s, now_s() - start_s)

        try:
            outputs = await self._outputs(wanted, on_output)
        except Exception as error:  # noqa: BLE001 - whatever a model raises belongs to the requests of its sequences
            rest = list(unfinished.values())
            unfinished.clear()
            for entry in rest:
                self._stats.sequence_ended(entry.sequence, now_s(), finished=False)
            finished_tokens = _token_cost(wanted) - _token_cost(rest)
            self._stats.batch_ended(finished_tokens, now_s() - start_s)
            await self._retry_in_halves(rest, error, is_single=len(wanted) == 1)
        else:
            self._stats.batch_ended(_token_cost(wanted), now_s() - start_s)
            for index, output in enumerate(outputs):
                on_output(index, output)
        finally:
            # The model may still report outputs of a batch that was cancelled.
            unfinished.clear()

    async def _outputs(
        self, batch: Sequence[QueueEntry[SequenceT]], on_output: Callable[[int, OutputT], None]
    ) -> Sequence[OutputT]:
        outputs = await self._model([entry.sequence for entry in batch], on_output)
        if len(outputs) != len(batch):
            raise OutputCountError(f"{len(outputs)} outputs for {len(batch)} sequences")
        return outputs

    async def _retry_in_halves(
        self, unfinished: Sequence[QueueEntry[SequenceT]], error: Exception, *, is_single: bool
    ) -> None:
        self._stats.failed_batches += 1
        if not is_single:
            count = len(unfinished)
            LOG.warning("a batch failed (%s); retrying its %d sequences in halves", type(error).__name__, count)
            await self.run(unfinished[: count // 2])
            await self.run(unfinished[count // 2 :])
            return
        for entry in unfinished:
            self._on_done(entry)
            for future in entry.futures:
                fail(future, error)

    def _complete(self, entry: QueueEntry[SequenceT], output: OutputT, start_s: float, elapsed_s: float) -> None:
        self._on_done(entry)
        shared = False
        for future, submit_s in entry.futures.items():
            if not future.done():
                queue_ms = max(start_s - submit_s, 0.0) * 1000
                future.set_result(Completion(output, queue_ms, elapsed_s * 1000, cached=shared))
                shared = True


def _token_cost(entries: Iterable[QueueEntry[Any]]) -> int:
    return sum(entry.sequence.token_cost for entry in entries)


def task_error(task: asyncio.Task[None]) -> BaseException | None:
    """The error that ended a task; of a group of batches, the first one's. None if it was cancelled or has none."""
    error = None if task.cancelled() else task.exception()
    errors: Sequence[BaseException] = getattr(error, "exceptions", [])
    return errors[0] if errors else error
