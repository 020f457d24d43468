"""Many requests, one model: sequences wait in fair order, share batches, and every future is resolved.

A future ends with an output, the model's error, the request's cancellation or deadline, or shutdown, whichever is
first. This module knows no gRPC, no torch, no language and no thread: the model is an async function of sequences, and
time is the event loop's clock. All methods belong to the event loop's thread.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Generic

from kunnafoni.engine.admission import Admission
from kunnafoni.engine.batch_runner import BatchRunner, Completion, Model, OutputT, task_error
from kunnafoni.engine.batcher_stats import StatsCollector
from kunnafoni.engine.fair_queue import FairQueue, SequenceT
from kunnafoni.engine.request_context import Priority, fail
from kunnafoni.errors import DrainingError, InvalidInputError

if TYPE_CHECKING:
    from kunnafoni.engine.batcher_stats import BatcherStats
    from kunnafoni.engine.fair_queue import QueueEntry
    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.engine.scheduler_config import SchedulerConfig

LOG = logging.getLogger(__name__)
# With continuous batching, sequences join when one in so many slots is free, and the same share of the token budget:
# prompts that are read together cost half.
_JOIN_SHARE = 8
IsContended = Callable[[], bool]
AcquireProcessor = Callable[[], AbstractAsyncContextManager[IsContended | None]]


class Batcher(Generic[SequenceT, OutputT]):
    """Runs `model` on batches of submitted sequences. Create it inside a running loop.

    Args:
        model: Takes the sequences of a batch, all with one batch key, and returns one output per sequence in the same
            order. It also takes a function that it may call, in the loop, with the index and output of a sequence that
            finishes before its batch.
        config: Sizes and bounds.
        parallel: Most batches on the model at the same time. While more than one could start, they share what waits.
        continuous_batching: Whether sequences join the running ones. Then a batch is what may start now, and at most
            `parallel` slots are occupied, or `max_batch_sequences` if that is less, and as many more by background
            sequences.
        acquire_processor: Returns a context that is entered before a batch is chosen and left when it is done; with
            continuous batching, several batches share one. Models that share a processor wait in it for each other. It
            yields a function that says whether another model waits. None if the model has the processor to itself.
    """

    def __init__(
        self,
        model: Model[SequenceT, OutputT],
        config: SchedulerConfig,
        *,
        parallel: int = 1,
        continuous_batching: bool = False,
        acquire_processor: AcquireProcessor | None = None,
    ) -> None:
        self._config = config
        self._idle = parallel
        self._slots = min(parallel, config.max_batch_sequences) if continuous_batching else 0
        self._acquire_processor = acquire_processor or nullcontext
        self._loop = asyncio.get_running_loop()
        self._interactive: FairQueue[SequenceT] = FairQueue(config)
        self._jobs: FairQueue[SequenceT] = FairQueue(config)
        self._batches_since_job = 0
        self._entries: dict[SequenceT, QueueEntry[SequenceT]] = {}
        self._stats = StatsCollector(parallel, slots=self._slots)
        self._runner = BatchRunner(model, self._stats, self._entry_done)
        self._admission = Admission(config, self._stats, interactive=self._interactive, jobs=self._jobs)
        self._not_empty = asyncio.Event()
        self._batch_full = asyncio.Event()
        self._changed = asyncio.Event()
        workers = [self._serve_continuously()] if continuous_batching else [self._serve() for _ in range(parallel)]
        self._workers = [asyncio.create_task(worker) for worker in workers]
        for worker in self._workers:
            worker.add_done_callback(self._resolve_all)

    @property
    def problem(self) -> str:
        """The bug that ended the workers; empty while they run and after `close`. Its own message may quote a text."""
        ended = [worker for worker in self._workers if worker.done() and not worker.cancelled()]
        return f"the batcher stopped: {type(task_error(ended[0])).__name__}" if ended else ""

    def check_token_cost(self, token_cost: int) -> None:
        """Check that the token cost of a sequence is within the budget of a batch.

        Raises:
            InvalidInputError: It is not, and no waiting will help.
        """
        if token_cost > self._config.max_batch_tokens:
            raise InvalidInputError(
                "contents",
                f"a segment takes up to {token_cost} tokens, in all hypotheses of its beam, "
                f"and a batch holds {self._config.max_batch_tokens}",
                french=f"un segment prend jusqu'à {token_cost} jetons, toutes hypothèses comprises, "
                f"et un lot en contient {self._config.max_batch_tokens}",
            )

    def check_capacity(self, token_cost: int, *, context: RequestContext, reserved_tokens: int = 0) -> None:
        """Check whether `admit` would admit this token cost now, before the work that computes the exact cost.

        `reserved_tokens` is what other requests, ahead in that work, will have submitted until then.

        Raises:
            OverloadedError, DrainingError, DeadlineError, CancelledCallError: As `admit` would.
        """
        self._admission.check_capacity(token_cost, context, reserved_tokens=reserved_tokens)

    def admit(self, token_cost: int, *, context: RequestContext) -> None:
        """Admit a request as a whole, with the token cost of all that it is about to submit; jobs need no admission.

        Raises:
            OverloadedError: The queue is full; says when it will not be, from the measured drain rate.
            DrainingError: The model is being shut down.
            DeadlineError, CancelledCallError: The request has ended.
        """
        self._admission.admit(token_cost, context)

    async def submit(self, sequence: SequenceT, *, context: RequestContext) -> Completion[OutputT]:
        """Run one sequence in a batch. A job waits here until the queue has capacity; others are refused at once.

        Raises:
            InvalidInputError: The token cost of the sequence is over the budget of a batch.
            OverloadedError: See `admit`; only if the request was not admitted before.
            DrainingError: The model is being shut down, or was before the sequence was run.
            DeadlineError, CancelledCallError: The request has ended.
            Exception: Whatever the model raised for this sequence.
        """
        self.check_token_cost(sequence.token_cost)
        self._admission.admit(sequence.token_cost, context)
        if context.priority is Priority.JOB and sequence not in self._entries:
            await self._admission.wait_for_capacity(sequence.token_cost, context)
        return await self._enqueue(sequence, context)

    def stats(self) -> BatcherStats:
        """Take a snapshot."""
        return self._stats.snapshot(
            queued_sequences=self._interactive.sequences + self._jobs.sequences,
            queued_tokens=self._interactive.tokens + self._jobs.tokens,
        )

    async def drain(self, grace_s: float) -> None:
        """Admit no new request, finish for at most `grace_s` what requests wait for, then `close`.

        Admitted requests may still submit what follows from their sequences, until they end.
        """
        self._admission.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while pending := [future for entry in self._entries.values() for future in entry.futures]:
                    await asyncio.wait(pending)
                await self._admission.none_active.wait()
        await self.close()

    async def close(self) -> None:
        """Stop, and fail with `DrainingError` whatever is not done, without waiting for batches on the model."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.wait(self._workers)

    def _enqueue(self, sequence: SequenceT, context: RequestContext) -> asyncio.Future[Completion[OutputT]]:
        entry = self._entries.get(sequence)
        queue = self._jobs if context.priority is Priority.JOB else self._interactive
        if entry is None:
            entry = self._entries[sequence] = queue.add(sequence, context)
            self._not_empty.set()
            self._changed.set()
            if queue.fills_batch:
                self._batch_full.set()
        else:
            self._stats.shared_sequences += 1
            if entry.flows:
                queue.share(entry, context)
            self._admission.admit_waiting_jobs()
        future: asyncio.Future[Completion[OutputT]] = context.create_future()
        entry.futures[future] = self._loop.time()
        future.add_done_callback(partial(self._future_done, entry))
        return future

    def _future_done(self, entry: QueueEntry[SequenceT], future: asyncio.Future[Completion[OutputT]]) -> None:
        entry.futures.pop(future, None)
        if entry.flows and not entry.futures:
            entry.remove()
            self._entry_done(entry)
            self._stats.dropped_sequences += 1
            self._admission.admit_waiting_jobs()

    def _entry_done(self, entry: QueueEntry[SequenceT]) -> None:
        if self._entries.get(entry.sequence) is entry:  # not so after `_resolve_all`
            del self._entries[entry.sequence]
        self._changed.set()

    async def _serve(self) -> None:
        wait_until_s = 0.0
        while True:
            await self._not_empty.wait()
            await self._wait_for_full_batch(wait_until_s)
            ready_s = self._loop.time()
            async with self._acquire_processor():
                queue = self._next_queue()
                if queue is None:
                    self._not_empty.clear()
                    continue
                self._stats.waited_for_processor(self._loop.time() - ready_s)
                requests = self._queued_requests()
                batch = self._pop_batch(queue, ceil(queue.flow_entries / self._idle))
                self._idle -= 1
                try:
                    await self._runner.run(batch)
                finally:
                    self._idle += 1
            # A single request has no others to wait for: its next sequences would only start later.
            several = len(requests | self._queued_requests()) > 1
            wait_until_s = self._loop.time() + self._config.max_wait_ms / 1000 if several else 0.0

    async def _serve_continuously(self) -> None:
        while True:
            await self._not_empty.wait()
            ready_s = self._loop.time()
            async with self._acquire_processor() as is_contended, asyncio.TaskGroup() as batches:
                self._stats.waited_for_processor(self._loop.time() - ready_s)
                started = False
                while not ((contended := bool(is_contended and is_contended())) and started):
                    self._changed.clear()
                    if batch := self._next_joining_batch(contended=contended):
                        batches.create_task(self._runner.run(batch))
                        started = True
                        await asyncio.sleep(0)  # the batch starts now, so that its sequences count as running
                    elif self._stats.running_sequences:
                        await self._changed.wait()
                    else:
                        break
            if not (self._interactive or self._jobs):
                self._not_empty.clear()

    def _next_joining_batch(self, *, contended: bool) -> list[QueueEntry[SequenceT]]:
        """What may join the running sequences; from one of the two queues only while other models wait."""
        for queue in (self._next_queue(),) if contended else (self._interactive, self._jobs):
            if queue and (batch := self._pop_joining_batch(queue)):
                return batch
        return []

    def _pop_joining_batch(self, queue: FairQueue[SequenceT]) -> list[QueueEntry[SequenceT]]:
        running = self._stats.background if queue is self._jobs else self._stats.foreground
        free_slots = self._slots - running.slots
        free_tokens = self._config.max_batch_tokens - running.tokens
        if free_slots * _JOIN_SHARE < self._slots or free_tokens * _JOIN_SHARE < self._config.max_batch_tokens:
            return []
        return self._pop_batch(queue, free_slots, free_tokens)

    async def _wait_for_full_batch(self, until_s: float) -> None:
        if until_s <= self._loop.time() or self._interactive.fills_batch or self._jobs.fills_batch:
            return
        self._batch_full.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until_s):
                await self._batch_full.wait()

    def _queued_requests(self) -> set[RequestContext]:
        return self._interactive.requests | self._jobs.requests

    def _next_queue(self) -> FairQueue[SequenceT] | None:
        """The queue of the next batch; the call counts as a batch of it."""
        if not self._jobs:
            return self._interactive or None
        self._batches_since_job += 1
        if self._interactive and self._batches_since_job < self._config.batches_per_job_batch:
            return self._interactive
        self._batches_since_job = 0
        return self._jobs

    def _pop_batch(
        self, queue: FairQueue[SequenceT], max_slots: int, max_tokens: int | None = None
    ) -> list[QueueEntry[SequenceT]]:
        batch = queue.pop_batch(max_slots, max_tokens)
        self._admission.admit_waiting_jobs()
        return batch

    def _resolve_all(self, worker: asyncio.Task[None]) -> None:
        """Resolve every future at the end, whether the workers were stopped or one failed because of a bug."""
        self._admission.close()
        error = task_error(worker)
        for other in self._workers:
            other.cancel()
        if error:
            trace = "".join(traceback.format_tb(error.__traceback__))
            LOG.critical("%s; the model serves no request until it is loaded again\n%s", self.problem, trace)
        for entry in self._entries.values():
            entry.remove()
            for future in entry.futures:
                fail(future, error or DrainingError())
        self._entries.clear()
