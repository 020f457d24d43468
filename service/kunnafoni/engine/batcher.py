"""Many callers, one model: rows wait in fair order, share batches, and every future is resolved.

A future ends with an answer, the model's error, the caller's cancellation or deadline, or shutdown, whichever is first.
It knows no gRPC, no torch, no language and no thread: the model is an async function of rows, and time is the event
loop's clock. All methods belong to the event loop's thread.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Generic

from kunnafoni.engine.admission import Admission
from kunnafoni.engine.caller import Priority, fail
from kunnafoni.engine.fair_queue import FairQueue, RowT
from kunnafoni.engine.meter import Meter
from kunnafoni.engine.runner import Answer, Model, OutputT, Runner
from kunnafoni.errors import DrainingError, InvalidInputError

if TYPE_CHECKING:
    from kunnafoni.engine.caller import Caller
    from kunnafoni.engine.fair_queue import Slot
    from kunnafoni.engine.meter import BatcherStats
    from kunnafoni.engine.policy import Policy

LOG = logging.getLogger(__name__)
# Rows join when one in so many of their seats is free, and as much of the weight: read together, prompts cost half.
_JOIN_SHARE = 8
OthersWait = Callable[[], bool]
Turn = Callable[[], AbstractAsyncContextManager[OthersWait | None]]


class Batcher(Generic[RowT, OutputT]):
    """Runs `model` on batches of whatever `submit` brings. Create it inside a running loop.

    Args:
        model: Takes the rows of a batch, all of one group, and returns one output a row in the same order. Of a row
            that ends before its batch it may tell at once: it is also given a function to call, in the loop, with the
            row's number and output.
        policy: Sizes and bounds.
        parallel: Most batches on the model at once. While more than one could begin, they share what waits.
        continuous_batching: Whether rows join those that run. Then a batch is what may begin now, and `parallel` seats
            are taken at most, or `batch_rows` if that is less, and as many more by rows in the background.
        turn: Gives what is entered before a batch is cut and left when it is done; rows that join share one. Where
            batchers share a processor it says whose turn it is, and what it gives, whether others wait for theirs.
            None if the model has the processor to itself.
    """

    def __init__(
        self,
        model: Model[RowT, OutputT],
        policy: Policy,
        *,
        parallel: int = 1,
        continuous_batching: bool = False,
        turn: Turn | None = None,
    ) -> None:
        self._policy = policy
        self._idle = parallel
        self._seats = min(parallel, policy.batch_rows) if continuous_batching else 0
        self._turn = turn or nullcontext
        self._loop = asyncio.get_running_loop()
        self._interactive: FairQueue[RowT] = FairQueue(policy)
        self._jobs: FairQueue[RowT] = FairQueue(policy)
        self._batches_since_job = 0
        self._slots: dict[RowT, Slot[RowT]] = {}
        self._meter = Meter(parallel, seats=self._seats)
        self._runner = Runner(model, self._meter, self._forget)
        self._admission = Admission(policy, self._meter, interactive=self._interactive, jobs=self._jobs)
        self._waiting = asyncio.Event()
        self._enough = asyncio.Event()
        self._changed = asyncio.Event()
        workers = [self._serve_joining()] if continuous_batching else [self._serve() for _ in range(parallel)]
        self._workers = [asyncio.create_task(worker) for worker in workers]
        for worker in self._workers:
            worker.add_done_callback(self._resolve_all)

    @property
    def problem(self) -> str:
        """The bug that ended the work; empty while it goes on and after `close`. Its own words may quote a row."""
        ended = [worker for worker in self._workers if worker.done() and not worker.cancelled()]
        return f"the batcher stopped: {type(_bug(ended[0])).__name__}" if ended else ""

    def check_weight(self, weight: int) -> None:
        """Check that a row is not heavier than a batch may be.

        Raises:
            InvalidInputError: It is, and no waiting will help.
        """
        if weight > self._policy.batch_tokens:
            raise InvalidInputError(
                "contents",
                f"a segment takes up to {weight} tokens, in all hypotheses of its beam, "
                f"and a batch holds {self._policy.batch_tokens}",
                french=f"un segment prend jusqu'à {weight} jetons, toutes hypothèses comprises, "
                f"et un lot en contient {self._policy.batch_tokens}",
            )

    def check_room(self, weight: int, *, caller: Caller, coming: int = 0) -> None:
        """Check whether `admit` would let in now as much as `weight`, before the work that says how much it is.

        `coming` is what others, being ahead in that work, will have submitted until then.

        Raises:
            OverloadedError, DrainingError, DeadlineError, CancelledCallError: As `admit` would.
        """
        self._admission.check_room(weight, caller, coming=coming)

    def admit(self, weight: int, *, caller: Caller) -> None:
        """Let in all that a caller is about to submit, about `weight` tokens, as a whole; a job needs no admission.

        Raises:
            OverloadedError: The queue has no room for it; says when it will have, from the measured drain rate.
            DrainingError: The model is being shut down.
            DeadlineError, CancelledCallError: The caller does not wait any more.
        """
        self._admission.admit(weight, caller)

    async def submit(self, row: RowT, *, caller: Caller) -> Answer[OutputT]:
        """Run one row in some batch. A job waits here for room in the queue; others are let in or refused at once.

        Raises:
            InvalidInputError: The row is heavier than a batch may be.
            OverloadedError: See `admit`; only before the caller was admitted.
            DrainingError: The model is being shut down, or was before the row's turn came.
            DeadlineError, CancelledCallError: The caller does not wait any more.
            Exception: Whatever the model raised on this row.
        """
        self.check_weight(row.weight)
        self._admission.admit(row.weight, caller)
        if caller.priority is Priority.JOB and row not in self._slots:
            await self._admission.wait_for_room(row.weight, caller)
        return await self._enqueue(row, caller)

    def stats(self) -> BatcherStats:
        """Take a snapshot."""
        rows, tokens = self._interactive.rows + self._jobs.rows, self._interactive.tokens + self._jobs.tokens
        return self._meter.stats(queued_rows=rows, queued_tokens=tokens)

    async def drain(self, grace_s: float) -> None:
        """Let nobody new in, work off for at most `grace_s` what callers wait for, then `close`.

        Callers that were admitted may still submit what follows from their rows, until they go.
        """
        self._admission.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while pending := [future for slot in self._slots.values() for future in slot.waiters]:
                    await asyncio.wait(pending)
                await self._admission.all_left.wait()
        await self.close()

    async def close(self) -> None:
        """Stop, and fail with `DrainingError` whatever is not done. Batches on the model are not waited for."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.wait(self._workers)

    def _enqueue(self, row: RowT, caller: Caller) -> asyncio.Future[Answer[OutputT]]:
        slot = self._slots.get(row)
        queue = self._jobs if caller.priority is Priority.JOB else self._interactive
        if slot is None:
            slot = self._slots[row] = queue.add(row, caller)
            self._waiting.set()
            self._changed.set()
            if queue.fills_batch:
                self._enough.set()
        else:
            self._meter.shared_rows += 1
            if slot.lanes:
                queue.share(slot, caller)
            self._admission.make_room()
        future: asyncio.Future[Answer[OutputT]] = caller.promise()
        slot.waiters[future] = self._loop.time()
        future.add_done_callback(partial(self._strike_off, slot))
        return future

    def _strike_off(self, slot: Slot[RowT], future: asyncio.Future[Answer[OutputT]]) -> None:
        slot.waiters.pop(future, None)
        if slot.lanes and not slot.waiters:
            slot.leave()
            self._forget(slot)
            self._meter.dropped_rows += 1
            self._admission.make_room()

    def _forget(self, slot: Slot[RowT]) -> None:
        if self._slots.get(slot.row) is slot:  # not so once all were resolved at the end
            del self._slots[slot.row]
        self._changed.set()

    async def _serve(self) -> None:
        company_until_s = 0.0
        while True:
            await self._waiting.wait()
            await self._wait_for_company(company_until_s)
            ready_s = self._loop.time()
            async with self._turn():
                queue = self._next_queue()
                if queue is None:
                    self._waiting.clear()
                    continue
                self._meter.batch_waited(self._loop.time() - ready_s)
                callers = self._callers()
                batch = self._cut(queue, ceil(queue.due_rows / self._idle))
                self._idle -= 1
                try:
                    await self._runner.run(batch)
                finally:
                    self._idle += 1
            # One caller alone has nobody to wait for: its next call would only be late.
            crowded = len(callers | self._callers()) > 1
            company_until_s = self._loop.time() + self._policy.max_wait_ms / 1000 if crowded else 0.0

    async def _serve_joining(self) -> None:
        while True:
            await self._waiting.wait()
            ready_s = self._loop.time()
            async with self._turn() as others_wait, asyncio.TaskGroup() as batches:
                self._meter.batch_waited(self._loop.time() - ready_s)
                begun = False
                while not ((contended := bool(others_wait and others_wait())) and begun):
                    self._changed.clear()
                    if batch := self._joiners(contended=contended):
                        batches.create_task(self._runner.run(batch))
                        begun = True
                        await asyncio.sleep(0)  # it begins now, and its rows count
                    elif self._meter.running_rows:
                        await self._changed.wait()
                    else:
                        break
            if not (self._interactive or self._jobs):
                self._waiting.clear()

    def _joiners(self, *, contended: bool) -> list[Slot[RowT]]:
        """What may begin beside the rows that run. While other models wait for their turn, one of both queues may."""
        for queue in (self._next_queue(),) if contended else (self._interactive, self._jobs):
            if queue and (batch := self._cut_joiners(queue)):
                return batch
        return []

    def _cut_joiners(self, queue: FairQueue[RowT]) -> list[Slot[RowT]]:
        running = self._meter.background if queue is self._jobs else self._meter.foreground
        seats = self._seats - running.seats
        tokens = self._policy.batch_tokens - running.tokens
        if seats * _JOIN_SHARE < self._seats or tokens * _JOIN_SHARE < self._policy.batch_tokens:
            return []
        return self._cut(queue, seats, tokens)

    async def _wait_for_company(self, until_s: float) -> None:
        if until_s <= self._loop.time() or self._interactive.fills_batch or self._jobs.fills_batch:
            return
        self._enough.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until_s):
                await self._enough.wait()

    def _callers(self) -> set[Caller]:
        """Whose rows are waiting."""
        return self._interactive.callers | self._jobs.callers

    def _next_queue(self) -> FairQueue[RowT] | None:
        """Whose turn it is, and has been with that."""
        if not self._jobs:
            return self._interactive or None
        self._batches_since_job += 1
        if self._interactive and self._batches_since_job < self._policy.job_turn:
            return self._interactive
        self._batches_since_job = 0
        return self._jobs

    def _cut(self, queue: FairQueue[RowT], most_seats: int, most_tokens: int | None = None) -> list[Slot[RowT]]:
        batch = queue.cut(most_seats, most_tokens)
        self._admission.make_room()
        return batch

    def _resolve_all(self, worker: asyncio.Task[None]) -> None:
        """The last act: nobody is left waiting, whether the workers were stopped or one fell over a bug."""
        self._admission.close()
        error = _bug(worker)
        for other in self._workers:
            other.cancel()
        if error:
            trace = "".join(traceback.format_tb(error.__traceback__))
            LOG.critical("%s; the model serves nobody until it is loaded again\n%s", self.problem, trace)
        for slot in self._slots.values():
            slot.leave()
            for future in slot.waiters:
                fail(future, error or DrainingError())
        self._slots.clear()


def _bug(worker: asyncio.Task[None]) -> BaseException | None:
    """What ended it; of rows that join, the first of those that ended their batches."""
    error = None if worker.cancelled() else worker.exception()
    found: Sequence[BaseException] = getattr(error, "exceptions", [])
    return found[0] if found else error
