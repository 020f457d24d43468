"""Admission to the queues of a batcher: admits, refuses, or lets wait. It runs and resolves no sequences."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from kunnafoni.engine.request_context import Priority, fail
from kunnafoni.errors import DrainingError, OverloadedError

if TYPE_CHECKING:
    from kunnafoni.engine.batcher_stats import StatsCollector
    from kunnafoni.engine.fair_queue import FairQueue
    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.engine.scheduler_config import SchedulerConfig


class Admission:
    """The bounds of the two queues. A full queue refuses interactive requests at once and lets jobs wait.

    Attributes:
        none_active: Set while no admitted request is active, which might submit what follows from its sequences.
    """

    def __init__(
        self, config: SchedulerConfig, stats: StatsCollector, *, interactive: FairQueue[Any], jobs: FairQueue[Any]
    ) -> None:
        self._config = config
        self._stats = stats
        self._interactive = interactive
        self._jobs = jobs
        self._waiting_jobs: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._active: set[RequestContext] = set()
        self.none_active = asyncio.Event()
        self.none_active.set()
        self._draining = self._closed = False

    def check_capacity(self, token_cost: int, context: RequestContext, *, reserved_tokens: int = 0) -> None:
        """See `Batcher.check_capacity`."""
        context.check_active()
        if self._closed or (self._draining and not context.admitted):
            raise DrainingError
        if context.admitted or context.priority is Priority.JOB:
            return
        queued_tokens = self._interactive.tokens_before(token_cost) + reserved_tokens
        excess = queued_tokens - self._config.max_queue_tokens
        if excess > 0:
            self._stats.refused_requests += not context.refused
            context.refused = True
            raise OverloadedError(self._stats.drain_time_s(excess))

    def admit(self, token_cost: int, context: RequestContext) -> None:
        """See `Batcher.admit`."""
        self.check_capacity(token_cost, context)
        # A job that is refused while the model drains continues when the server is back, so a job is never admitted for
        # good.
        context.admitted = context.priority is not Priority.JOB
        if context.admitted and context not in self._active:
            self._active.add(context)
            self.none_active.clear()
            context.add_done_callback(self._request_done)

    async def wait_for_capacity(self, token_cost: int, context: RequestContext) -> None:
        """Wait until the queue of jobs holds less than its bound, a window.

        Raises:
            DrainingError: The model is being shut down.
            DeadlineError, CancelledCallError: The request has ended.
        """
        while self._job_capacity() <= 0:
            waiting: asyncio.Future[None] = context.create_future()
            self._waiting_jobs.append((token_cost, waiting))
            try:
                await waiting
                self.admit(token_cost, context)
            except BaseException:
                self.admit_waiting_jobs()  # it may have had some of the capacity
                raise

    def admit_waiting_jobs(self) -> None:
        """Admit the waiting jobs that fit now, in order of arrival; for when sequences have left a queue."""
        capacity = self._job_capacity()
        while self._waiting_jobs and capacity > 0:
            token_cost, waiting = self._waiting_jobs.popleft()
            if not waiting.done():
                waiting.set_result(None)
                capacity -= token_cost

    def drain(self) -> None:
        """Admit only what follows from sequences of admitted requests; jobs continue when the server is back."""
        self._draining = True
        for _, waiting in self._waiting_jobs:
            fail(waiting, DrainingError())
        self._waiting_jobs.clear()

    def close(self) -> None:
        """Admit nothing any more."""
        self.drain()
        self._closed = True

    def _request_done(self, context: RequestContext) -> None:
        self._active.discard(context)
        if not self._active:
            self.none_active.set()

    def _job_capacity(self) -> int:
        return self._config.window_tokens - self._jobs.tokens
