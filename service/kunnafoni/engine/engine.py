"""One loaded model at work: a backend, a batcher in front of it, the threads that it runs in, a memory of outputs.

Prompts go in, answers come out. It knows nothing of languages, sentences or requests.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.cache import OutputCache
from kunnafoni.engine.caller import Priority
from kunnafoni.engine.runner import Answer
from kunnafoni_models.machine.free_memory import release_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kunnafoni.engine.batcher import Turn
    from kunnafoni.engine.cache import CacheStats
    from kunnafoni.engine.caller import Caller
    from kunnafoni.engine.meter import BatcherStats
    from kunnafoni.engine.model_thread import ModelThread
    from kunnafoni.engine.policy import Policy
    from kunnafoni_models.backend import Backend, Decoding, Output, Prompt

# After so long without a batch of this model what its batches took is given back; the next one takes it anew.
REST_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class PromptRow:
    """A prompt as the batcher sees it. Rows share batches that are of like length and decoded in one way.

    A person who asks for the row of a job gets one of their own where a job's may be overtaken.
    """

    prompt: Prompt
    decoding: Decoding
    group: tuple[Decoding, int] = field(compare=False)
    weight: int = field(compare=False)
    seats: int = field(compare=False)

    @property
    def background(self) -> bool:
        """Whether it is a job's, where rows join."""
        return self.prompt.background

    @property
    def length(self) -> int:
        """Prompt tokens."""
        return len(self.prompt.tokens)


@dataclass(frozen=True, slots=True)
class EngineStats:
    """A snapshot of what the engine did and holds; `cache` is None where it is off."""

    batcher: BatcherStats
    cache: CacheStats | None


class Engine:
    """Runs prompts on one backend, a batch a thread; see `Engines`, which makes it inside the event loop.

    Attributes:
        backend: For prompts and token counts; nobody else may call its `generate` or `close`.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        threads: Sequence[ModelThread],
        policy: Policy,
        cache_bytes: int,
        turn: Turn | None = None,
    ) -> None:
        self.backend = backend
        self._batch_rows = policy.batch_rows
        self._threads = threads
        # Of rows that are answered before their batch is done, others may take the place while it is not.
        self._free: asyncio.LifoQueue[ModelThread] = asyncio.LifoQueue()
        for thread in threads:
            self._free.put_nowait(thread)
        self._rest: asyncio.TimerHandle | None = None
        self._cache = OutputCache(cache_bytes) if cache_bytes else None
        self._batcher: Batcher[PromptRow, Output] = Batcher(
            self._generate,
            policy,
            parallel=backend.parallel,
            continuous_batching=backend.supports_continuous_batching,
            turn=turn,
        )

    @property
    def problem(self) -> str:
        """Why it stopped working, which only a bug can make it do; empty while it works."""
        return self._batcher.problem

    @staticmethod
    def weight(prompt: Prompt, decoding: Decoding) -> int:
        """Tokens that the engine counts for a prompt: those that it may come to hold, in every hypothesis."""
        return (len(prompt.tokens) + len(prompt.target_prefix) + prompt.max_output_tokens) * decoding.beam_size

    def check_weight(self, weight: int) -> None:
        """Check that a prompt is not heavier than a batch may be.

        Raises:
            InvalidInputError: It is, and no waiting will help.
        """
        self._batcher.check_weight(weight)

    def check_room(self, weight: int, *, caller: Caller, coming: int = 0) -> None:
        """Check whether `admit` would let in now as much as `weight`; see `Batcher.check_room`.

        Raises:
            OverloadedError, DrainingError, DeadlineError, CancelledCallError: As `admit` would.
        """
        self._batcher.check_room(weight, caller=caller, coming=coming)

    def admit(self, weight: int, *, caller: Caller) -> None:
        """Let in as a whole what a caller is about to submit; see `Batcher.admit`, and `weight` for how to weigh it.

        Raises:
            OverloadedError: The queue has no room; it says when it will have.
            DrainingError: The model is being shut down.
            DeadlineError, CancelledCallError: The caller does not wait any more.
        """
        self._batcher.admit(weight, caller=caller)

    async def submit(self, prompt: Prompt, decoding: Decoding, *, caller: Caller) -> Answer[Output]:
        """Run one prompt, or remember what came of it.

        Cancelling the task that waits here, or the caller, costs the model nothing more unless the row is running.

        Raises:
            InvalidInputError: The prompt is heavier than a batch may be.
            OverloadedError: The queue is full and the caller was not admitted before.
            DrainingError: The model is being shut down.
            DeadlineError, CancelledCallError: The caller does not wait any more.
            Exception: Whatever the backend raised on this prompt.
        """
        # Where rows join, each hypothesis of a beam is as good as a row.
        length, seats = (
            (0, decoding.beam_size) if self.backend.supports_continuous_batching else (prompt.length_bucket, 1)
        )
        if self.backend.supports_continuous_batching and caller.priority is Priority.JOB:
            prompt = replace(prompt, background=True)
        row = PromptRow(
            prompt, decoding, (decoding, length), self.weight(prompt, decoding), min(seats, self._batch_rows)
        )
        if self._cache is None:
            return await self._batcher.submit(row, caller=caller)
        caller.check()
        key = self._cache.key(prompt, decoding)
        if remembered := self._cache.get(key):
            return Answer(remembered, cached=True)
        answer = await self._batcher.submit(row, caller=caller)
        self._cache.put(key, answer.output)
        return answer

    def stats(self) -> EngineStats:
        """Take a snapshot."""
        return EngineStats(self._batcher.stats(), self._cache.stats() if self._cache else None)

    async def drain(self, grace_s: float) -> None:
        """Work off for at most `grace_s` what callers wait for, fail the rest with `DrainingError`, free the model.

        It returns when the batches on the model are done: weights cannot be freed under them.
        """
        await self._batcher.drain(grace_s)
        for thread in self._threads:
            await thread.run(lambda: None)  # behind its batch, if it has one
        if self._rest:
            self._rest.cancel()
        await self._threads[0].run(self.backend.close)
        for thread in self._threads:
            thread.stop()

    async def _generate(self, rows: Sequence[PromptRow], answer: Callable[[int, Output], None]) -> Sequence[Output]:
        prompts = [row.prompt for row in rows]
        tell = partial(asyncio.get_running_loop().call_soon_threadsafe, answer)
        thread = await self._free.get()
        try:
            return await thread.run(self.backend.generate, prompts, rows[0].decoding, tell)
        finally:
            self._free.put_nowait(thread)
            self._rest_later()

    def _rest_later(self) -> None:
        loop = asyncio.get_running_loop()
        if self._rest:
            self._rest.cancel()
        self._rest = loop.call_later(REST_AFTER_S, self._give_memory_back)

    def _give_memory_back(self) -> None:
        if self._free.qsize() == len(self._threads):
            asyncio.get_running_loop().run_in_executor(None, release_freed_memory)
