"""Whoever waits for answers: the unit of fair shares, of deadlines and of cancellation.

It knows nothing of batches or models: it holds promises, and breaks all of them at once when the caller goes.
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
    """Who goes first: people who wait, then archives that can."""

    INTERACTIVE = "interactive"
    JOB = "job"


class Caller:
    """One call or one job, whatever number of rows, submissions and models it uses. Compared by identity.

    As a context manager it cancels on exit whatever it still waits for: queued rows cost nothing more, rows on the
    model are finished and discarded.

    Attributes:
        deadline_s: Time of the event loop's clock after which nothing is worth doing; None if there is no such time.
        priority: Whether a person waits.
        admitted: True once an engine has taken rows of it. What follows from those rows (the second hop of a chain, a
            second try) is then never refused: half a request is worse than none.
        refused: True once an engine has had no room for it; more refusals of the same request are not counted.
    """

    def __init__(self, *, deadline_s: float | None = None, priority: Priority = Priority.INTERACTIVE) -> None:
        self.deadline_s = deadline_s
        self.priority = priority
        self.admitted = self.refused = False
        self._promises: set[asyncio.Future[Any]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._cancelled = False
        self._farewells: list[Callable[[Caller], None]] = []
        self._turn = asyncio.Lock()

    def check(self) -> None:
        """Do nothing while the caller is there.

        Raises:
            CancelledCallError: The caller has gone.
            DeadlineError: Its deadline has passed.
        """
        if self._cancelled:
            raise CancelledCallError
        if self.deadline_s is not None and asyncio.get_running_loop().time() >= self.deadline_s:
            raise DeadlineError

    async def in_turn(self, work: Callable[[], ResultT]) -> ResultT:
        """Run `work` on the event loop, at most one piece of this caller's in each of the loop's turns.

        For pieces of milliseconds, like checking a sentence: thousands at once do not make the loop stand still, and
        those of one caller do not keep another's waiting.
        """
        async with self._turn:
            result = work()
            await asyncio.sleep(0)
            return result

    def promise(self) -> asyncio.Future[Any]:
        """A future that is cancelled with the caller, and fails with `DeadlineError` at its deadline."""
        loop = asyncio.get_running_loop()
        if self._alarm is None and self.deadline_s is not None:
            self._alarm = loop.call_at(self.deadline_s, self._expire)
        future: asyncio.Future[Any] = loop.create_future()
        self._promises.add(future)
        future.add_done_callback(self._forget)
        return future

    def cancel(self) -> None:
        """The caller has gone: cancel every promise; `check` raises from now on. Calling it twice is harmless."""
        self._cancelled = True
        for future in list(self._promises):
            future.cancel()
        while self._farewells:
            self._farewells.pop()(self)

    def when_gone(self, farewell: Callable[[Caller], None]) -> None:
        """Have `farewell` called with the caller once when it goes; it has to be there still."""
        self._farewells.append(farewell)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def _expire(self) -> None:
        self._alarm = None
        for future in list(self._promises):
            fail(future, DeadlineError())

    def _forget(self, future: asyncio.Future[Any]) -> None:
        self._promises.discard(future)
        if not self._promises and self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def fail(future: asyncio.Future[Any], error: KunnafoniError | BaseException) -> None:
    """Give `error` to a future that may be done already, and that nobody may ever look at.

    A caller whose first row fails abandons the others; asyncio would log each as an error never retrieved.
    """
    if not future.done():
        future.set_exception(error)
        future.exception()
