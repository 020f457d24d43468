"""A thread in which a model is loaded, run and freed, so that the event loop never waits for it.

A model has one thread per batch that its backend can run at the same time, because runtimes keep state per thread.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

ArgumentsT = ParamSpec("ArgumentsT")
ResultT = TypeVar("ResultT")


class ModelThread:
    """Runs blocking functions one after the other; `name` appears in stack dumps."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(
        self, function: Callable[ArgumentsT, ResultT], *args: ArgumentsT.args, **kwargs: ArgumentsT.kwargs
    ) -> ResultT:
        """Run a function in the thread and return its result. Cancelling the wait does not stop a running function."""

        def call() -> ResultT:
            try:
                return function(*args, **kwargs)
            except StopIteration as error:
                # A future cannot hold this error: before Python 3.12 a waiting task would never end.
                raise RuntimeError(f"{function.__name__} raised StopIteration") from error

        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    def stop(self) -> None:
        """End the thread as soon as it has nothing left to run; does not wait for it."""
        self._pool.shutdown(wait=False)
