"""One loaded model at work: a backend, its batcher, the threads that it runs in, and a cache of outputs.

Prompts go in, completions come out. It knows no languages, sentences or protocols.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from kunnafoni.engine.batch_runner import Completion
from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.output_cache import OutputCache
from kunnafoni.engine.request_context import Priority
from kunnafoni_models.machine.free_memory import release_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kunnafoni.engine.batcher import AcquireProcessor
    from kunnafoni.engine.batcher_stats import BatcherStats
    from kunnafoni.engine.model_thread import ModelThread
    from kunnafoni.engine.output_cache import CacheStats
    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.engine.scheduler_config import SchedulerConfig
    from kunnafoni_models.backend import Backend, Decoding, Output, Prompt

# When no batch of the model has run for this long, freed memory of its batches is released to the system.
IDLE_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class PromptSequence:
    """A prompt as the batcher sees it. Sequences of similar length with equal decoding share batches.

    An interactive request for the same prompt as a job has a sequence of its own if that of the job may be overtaken.
    """

    prompt: Prompt
    decoding: Decoding
    batch_key: tuple[Decoding, int] = field(compare=False)
    token_cost: int = field(compare=False)
    slots: int = field(compare=False)

    @property
    def background(self) -> bool:
        """Whether it belongs to a job, with continuous batching."""
        return self.prompt.background

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt."""
        return len(self.prompt.tokens)


@dataclass(frozen=True, slots=True)
class EngineStats:
    """A snapshot of what the engine did and holds; `cache` is None if it is off."""

    batcher: BatcherStats
    cache: CacheStats | None


class Engine:
    """Runs prompts on one backend, one batch per thread. `EngineManager` creates it inside the event loop.

    Attributes:
        backend: For prompts and token counts; nobody else may call its `generate` or `close`.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        threads: Sequence[ModelThread],
        config: SchedulerConfig,
        cache_bytes: int,
        acquire_processor: AcquireProcessor | None = None,
    ) -> None:
        self.backend = backend
        self._max_batch_sequences = config.max_batch_sequences
        self._threads = threads
        # When sequences finish before their batch, others may start while the thread of that batch is still busy.
        self._free_threads: asyncio.LifoQueue[ModelThread] = asyncio.LifoQueue()
        for thread in threads:
            self._free_threads.put_nowait(thread)
        self._idle_timer: asyncio.TimerHandle | None = None
        self._cache = OutputCache(cache_bytes) if cache_bytes else None
        self._batcher: Batcher[PromptSequence, Output] = Batcher(
            self._generate,
            config,
            parallel=backend.parallel,
            continuous_batching=backend.supports_continuous_batching,
            acquire_processor=acquire_processor,
        )

    @property
    def problem(self) -> str:
        """Why it stopped working, which only a bug can cause; empty while it works."""
        return self._batcher.problem

    @staticmethod
    def token_cost(prompt: Prompt, decoding: Decoding) -> int:
        """Most tokens that a prompt may come to hold, output and all hypotheses included."""
        return (len(prompt.tokens) + len(prompt.target_prefix) + prompt.max_output_tokens) * decoding.beam_size

    def check_token_cost(self, token_cost: int) -> None:
        """Check that the token cost of a prompt is within the budget of a batch.

        Raises:
            InvalidInputError: It is not, and no waiting will help.
        """
        self._batcher.check_token_cost(token_cost)

    def check_capacity(self, token_cost: int, *, context: RequestContext, reserved_tokens: int = 0) -> None:
        """Check whether `admit` would admit this token cost now; see `Batcher.check_capacity`.

        Raises:
            OverloadedError, DrainingError, DeadlineError, CancelledCallError: As `admit` would.
        """
        self._batcher.check_capacity(token_cost, context=context, reserved_tokens=reserved_tokens)

    def admit(self, token_cost: int, *, context: RequestContext) -> None:
        """Admit a request as a whole, with the sum of its `token_cost`; see `Batcher.admit`.

        Raises:
            OverloadedError: The queue is full; it says when it will not be.
            DrainingError: The model is being shut down.
            DeadlineError, CancelledCallError: The request has ended.
        """
        self._batcher.admit(token_cost, context=context)

    async def submit(self, prompt: Prompt, decoding: Decoding, *, context: RequestContext) -> Completion[Output]:
        """Run one prompt, or return its output from the cache.

        If the waiting task or the request is cancelled, the prompt costs the model nothing more, unless it is running.

        Raises:
            InvalidInputError: The token cost of the prompt is over the budget of a batch.
            OverloadedError: The queue is full and the request was not admitted before.
            DrainingError: The model is being shut down.
            DeadlineError, CancelledCallError: The request has ended.
            Exception: Whatever the backend raised for this prompt.
        """
        continuous = self.backend.supports_continuous_batching
        # With continuous batching each hypothesis of a beam occupies a slot, and lengths may differ within a batch.
        length_bucket, slots = (0, decoding.beam_size) if continuous else (prompt.length_bucket, 1)
        if continuous and context.priority is Priority.JOB:
            prompt = replace(prompt, background=True)
        sequence = PromptSequence(
            prompt,
            decoding,
            batch_key=(decoding, length_bucket),
            token_cost=self.token_cost(prompt, decoding),
            slots=min(slots, self._max_batch_sequences),
        )
        if self._cache is None:
            return await self._batcher.submit(sequence, context=context)
        context.check_active()
        key = self._cache.key(prompt, decoding)
        if cached := self._cache.get(key):
            return Completion(cached, cached=True)
        completion = await self._batcher.submit(sequence, context=context)
        self._cache.put(key, completion.output)
        return completion

    def stats(self) -> EngineStats:
        """Take a snapshot."""
        return EngineStats(self._batcher.stats(), self._cache.stats() if self._cache else None)

    async def drain(self, grace_s: float) -> None:
        """Finish for at most `grace_s` what requests wait for, fail the rest with `DrainingError`, free the model.

        It returns when the batches on the model are done: their weights cannot be freed before.
        """
        await self._batcher.drain(grace_s)
        for thread in self._threads:
            await thread.run(lambda: None)  # returns after the thread's batch, if it has one
        if self._idle_timer:
            self._idle_timer.cancel()
        await self._threads[0].run(self.backend.close)
        for thread in self._threads:
            thread.stop()

    async def _generate(
        self, sequences: Sequence[PromptSequence], on_output: Callable[[int, Output], None]
    ) -> Sequence[Output]:
        prompts = [sequence.prompt for sequence in sequences]
        on_output_in_loop = partial(asyncio.get_running_loop().call_soon_threadsafe, on_output)
        thread = await self._free_threads.get()
        try:
            return await thread.run(self.backend.generate, prompts, sequences[0].decoding, on_output_in_loop)
        finally:
            self._free_threads.put_nowait(thread)
            self._restart_idle_timer()

    def _restart_idle_timer(self) -> None:
        loop = asyncio.get_running_loop()
        if self._idle_timer:
            self._idle_timer.cancel()
        self._idle_timer = loop.call_later(IDLE_AFTER_S, self._release_memory)

    def _release_memory(self) -> None:
        if self._free_threads.qsize() == len(self._threads):
            asyncio.get_running_loop().run_in_executor(None, release_freed_memory)
