"""Threads for text work that would block the event loop: identifying languages, splitting, counting tokens.

Python runs one thread at a time, so long texts share one thread and are processed one after the other. Otherwise short
texts would wait for all of them: with eight contents of 430,000 code points in eight threads, one line waited for 40 s.
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

# A text of this length or more is long; one of exactly this length takes up to 0.3 s.
LONG_CODE_POINTS = 20_000
_LONG = ThreadPoolExecutor(1, thread_name_prefix="long-texts")


async def run_in_text_executor(
    code_points: int, work: Callable[Arguments, ResultT], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> ResultT:
    """Run `work` in a thread and return its result; work on long texts, by `code_points`, shares one thread.

    If the waiting task is cancelled before `work` starts, it never runs.
    """
    pool = _LONG if code_points >= LONG_CODE_POINTS else None
    return await asyncio.get_running_loop().run_in_executor(pool, partial(work, *args, **kwargs))
