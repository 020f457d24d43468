"""Who gets into the queues of a batcher, who is sent away and who waits at the door. It runs and resolves no rows."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from kunnafoni.engine.caller import Priority, fail
from kunnafoni.errors import DrainingError, OverloadedError

if TYPE_CHECKING:
    from kunnafoni.engine.caller import Caller
    from kunnafoni.engine.fair_queue import FairQueue
    from kunnafoni.engine.meter import Meter
    from kunnafoni.engine.policy import Policy


class Admission:
    """The bounds of the two queues. A full queue refuses interactive callers at once and lets jobs wait.

    Attributes:
        all_left: Set while no admitted caller is there that might submit what follows from its rows.
    """

    def __init__(self, policy: Policy, meter: Meter, *, interactive: FairQueue[Any], jobs: FairQueue[Any]) -> None:
        self._policy = policy
        self._meter = meter
        self._interactive = interactive
        self._jobs = jobs
        self._gates: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._inside: set[Caller] = set()
        self.all_left = asyncio.Event()
        self.all_left.set()
        self._draining = self._closed = False

    def check_room(self, weight: int, caller: Caller, *, coming: int = 0) -> None:
        """See `Batcher.check_room`."""
        caller.check()
        if self._closed or (self._draining and not caller.admitted):
            raise DrainingError
        if caller.admitted or caller.priority is Priority.JOB:
            return
        excess = self._interactive.tokens_before(weight) + coming - self._policy.queue_tokens
        if excess > 0:
            self._meter.refused_requests += not caller.refused
            caller.refused = True
            raise OverloadedError(self._meter.delay_s(excess))

    def admit(self, weight: int, caller: Caller) -> None:
        """See `Batcher.admit`."""
        self.check_room(weight, caller)
        # A job that is refused while the model drains goes on when the server is back, so none is let in for good.
        caller.admitted = caller.priority is not Priority.JOB
        if caller.admitted and caller not in self._inside:
            self._inside.add(caller)
            self.all_left.clear()
            caller.when_gone(self._leave)

    async def wait_for_room(self, weight: int, caller: Caller) -> None:
        """Let a job wait until the queue of jobs is below the bound, a window.

        Raises:
            DrainingError: The model is being shut down.
            DeadlineError, CancelledCallError: The caller does not wait any more.
        """
        while self._job_room() <= 0:
            gate: asyncio.Future[None] = caller.promise()
            self._gates.append((weight, gate))
            try:
                await gate
                self.admit(weight, caller)
            except BaseException:
                self.make_room()  # it may have had some when it went
                raise

    def make_room(self) -> None:
        """Rows have left a queue, or need no place in it: let in the jobs that fit now, in order of arrival."""
        room = self._job_room()
        while self._gates and room > 0:
            weight, gate = self._gates.popleft()
            if not gate.done():
                gate.set_result(None)
                room -= weight

    def drain(self) -> None:
        """Let in only what follows from rows of admitted callers; jobs go on when the server is back."""
        self._draining = True
        for _, gate in self._gates:
            fail(gate, DrainingError())
        self._gates.clear()

    def close(self) -> None:
        """Let nobody in any more."""
        self.drain()
        self._closed = True

    def _leave(self, caller: Caller) -> None:
        self._inside.discard(caller)
        if not self._inside:
            self.all_left.set()

    def _job_room(self) -> int:
        return self._policy.window_tokens - self._jobs.tokens
