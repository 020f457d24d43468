"""A backend that needs no model, and engines that load it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kunnafoni.engine.engine_manager import EngineManager
from kunnafoni.engine.request_context import RequestContext
from kunnafoni.engine.scheduler_config import SchedulerConfig
from kunnafoni_models.backend import Backend, Decoding, Output, OutputCallback, Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni.engine.batch_runner import Completion


@dataclass
class Upper:
    """A backend that writes its prompt in capitals; it stops at `gate` while that is closed.

    If it is `early`, it reports its outputs before that.
    """

    parallel: int = 1
    supports_continuous_batching: bool = False
    gate: threading.Event = field(default_factory=threading.Event)
    running: threading.Event = field(default_factory=threading.Event)
    batches: list[list[str]] = field(default_factory=list[list[str]])
    background: list[bool] = field(default_factory=list[bool])
    threads: set[str] = field(default_factory=set[str])
    early: bool = False
    inside: int = 0
    closed: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def translation_prompt(self, text: str, *, source: str, target: str) -> Prompt:
        return Prompt((source, target, *text.split()), 10)

    def summary_prompt(self, text: str, *, language: str) -> Prompt:
        return Prompt((language, *text.split()), 10)

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, on_output: OutputCallback | None = None
    ) -> list[Output]:
        del decoding
        self.inside += 1
        assert self.inside <= self.parallel * (1 + self.supports_continuous_batching), "too many threads inside"
        self.threads.add(threading.current_thread().name)
        self.batches.append([" ".join(prompt.tokens) for prompt in prompts])
        self.background += (prompt.background for prompt in prompts)
        outputs = [Output(" ".join(prompt.tokens).upper(), len(prompt.tokens), reached_cap=False) for prompt in prompts]
        if self.early and on_output:
            for number, output in enumerate(outputs):
                on_output(number, output)
        self.running.set()
        self.gate.wait(10)
        self.running.clear()
        self.inside -= 1
        if any("stop" in prompt.tokens for prompt in prompts):
            raise StopIteration
        return outputs

    def close(self) -> None:
        assert not self.inside, "closed while running"
        self.closed += 1


def prompt(text: str) -> Prompt:
    return Prompt(tuple(text.split()), 10)


def load(backend: Backend | Exception) -> Backend:
    """The loader of these tests: an entry is the backend itself, or what goes wrong."""
    if isinstance(backend, Exception):
        raise backend
    return backend


def make_engines(*, cache_bytes: int = 0, parallel_batches: int = 1) -> EngineManager[Backend | Exception]:
    return EngineManager(
        load,
        warm_up=lambda _, __: prompt("warm"),
        config=SchedulerConfig(),
        cache_bytes=cache_bytes,
        parallel_batches=parallel_batches,
    )


def submit(engines: EngineManager[Backend | Exception], name: str, text: str) -> asyncio.Task[Completion[Output]]:
    return asyncio.create_task(engines.engine(name).submit(prompt(text), Decoding(), context=RequestContext()))
