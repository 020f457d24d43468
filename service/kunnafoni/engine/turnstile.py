"""Small pieces of work on the event loop, one a turn of it, so that thousands at once do not make it stand still.

For work of milliseconds, like checking a sentence, to which a thread for each would add as much again. It knows nothing
of what it runs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

ResultT = TypeVar("ResultT")


class Turnstile:
    """Whoever shares it goes through one by one, in the order of arrival."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def run(self, work: Callable[[], ResultT]) -> ResultT:
        """Wait for a turn of the event loop in which nobody else has run anything, and run `work`."""
        async with self._lock:
            result = work()
            await asyncio.sleep(0)
            return result
