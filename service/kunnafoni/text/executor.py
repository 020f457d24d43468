"""Threads for the work on texts that the event loop has no time for: detecting, splitting, counting tokens.

Python runs one of them at a time. Long texts wait for each other, one after the other, so that a line is read at once
however many archives are being read: eight contents of 430,000 code points in as many threads made it wait for 40 s.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Arguments = ParamSpec("Arguments")
ResultT = TypeVar("ResultT")

# From here on a text is long; one as long as this takes up to 0.3 s.
LONG_CODE_POINTS = 20_000
_LONG = ThreadPoolExecutor(1, thread_name_prefix="long-texts")


async def on_texts(
    code_points: int, work: Callable[Arguments, ResultT], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> ResultT:
    """What `work` returns, in a thread: some free one, or that of the long if it is about many `code_points`.

    If the task that waits here is cancelled before its turn, the work is never begun.
    """
    pool = _LONG if code_points >= LONG_CODE_POINTS else None
    return await asyncio.get_running_loop().run_in_executor(pool, partial(work, *args, **kwargs))
