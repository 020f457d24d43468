"""The context of one request: the unit of fair shares, of deadlines and of cancellation.

It knows no batches and no models: it creates futures, and cancels all of them at once when the request ends.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, Any, Self, TypeVar

from kunnafoni.errors import CancelledCallError, DeadlineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kunnafoni.errors import KunnafoniError

ResultT = TypeVar("ResultT")


class Priority(Enum):
    """Which requests go first: those for which people wait, then archives."""

    INTERACTIVE = "interactive"
    JOB = "job"


class RequestContext:
    """One call or one job, however many sequences, submissions and models it uses. Compared by identity.

    As a context manager it cancels on exit whatever it still waits for: queued sequences leave the queue, running ones
    are finished and their outputs discarded.

    Attributes:
        deadline_s: Time of the event loop's clock after which nobody waits any more; None if there is no deadline.
        priority: Whether a person waits.
        admitted: True once an engine has admitted it. What follows from its first sequences (the second hop of a pivot,
            fallback decoding) is never refused then: half a request is worse than none.
        refused: True once an engine has refused it; further refusals of the same request are not counted.
    """

    def __init__(self, *, deadline_s: float | None = None, priority: Priority = Priority.INTERACTIVE) -> None:
        self.deadline_s = deadline_s
        self.priority = priority
        self.admitted = self.refused = False
        self._futures: set[asyncio.Future[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._cancelled = False
        self._done_callbacks: list[Callable[[RequestContext], None]] = []
        self._loop_lock = asyncio.Lock()

    def check_active(self) -> None:
        """Do nothing while the request is active.

        Raises:
            CancelledCallError: It was cancelled.
            DeadlineError: Its deadline has passed.
        """
        if self._cancelled:
            raise CancelledCallError
        if self.deadline_s is not None and asyncio.get_running_loop().time() >= self.deadline_s:
            raise DeadlineError

    async def run_and_yield(self, function: Callable[[], ResultT]) -> ResultT:
        """Run `function` on the event loop and then yield; at most one function of this request per loop iteration.

        For work of milliseconds, such as checking a sentence: thousands of pieces at once do not block the loop, and
        those of one request do not delay another's.
        """
        async with self._loop_lock:
            result = function()
            await asyncio.sleep(0)
            return result

    def create_future(self) -> asyncio.Future[Any]:
        """Create a future that is cancelled with the request, and fails with `DeadlineError` at its deadline."""
        loop = asyncio.get_running_loop()
        if self._timer is None and self.deadline_s is not None:
            self._timer = loop.call_at(self.deadline_s, self._expire)
        future: asyncio.Future[Any] = loop.create_future()
        self._futures.add(future)
        future.add_done_callback(self._forget)
        return future

    def cancel(self) -> None:
        """End the request: cancel every future; `check_active` raises from now on. Calling it twice is harmless."""
        self._cancelled = True
        for future in list(self._futures):
            future.cancel()
        while self._done_callbacks:
            self._done_callbacks.pop()(self)

    def add_done_callback(self, callback: Callable[[RequestContext], None]) -> None:
        """Have `callback` called once with this context when the request ends; it must not have ended yet."""
        self._done_callbacks.append(callback)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def _expire(self) -> None:
        self._timer = None
        for future in list(self._futures):
            fail(future, DeadlineError())

    def _forget(self, future: asyncio.Future[Any]) -> None:
        self._futures.discard(future)
        if not self._futures and self._timer is not None:
            self._timer.cancel()
            self._timer = None


def fail(future: asyncio.Future[Any], error: KunnafoniError | BaseException) -> None:
    """Fail a future with `error`, unless it is done already.

    A request whose first sequence fails abandons the others, and asyncio would log each error as never retrieved; so it
    is marked as retrieved here.
    """
    if not future.done():
        future.set_exception(error)
        future.exception()
