"""The loaded models: loads them side by side, warms them, hands out their engines, unloads them.

It knows no catalog and no files: whoever creates `Engines` says how an entry becomes a backend.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from kunnafoni.engine.engine import Engine
from kunnafoni.engine.model_thread import ModelThread
from kunnafoni.errors import LoadingError, ModelChangedError, NotFoundError
from kunnafoni_models.backend import Backend, Decoding, ModelError, Prompt

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection

    from kunnafoni.engine.batcher import OthersWait
    from kunnafoni.engine.policy import Policy

LOG = logging.getLogger(__name__)
EntryT = TypeVar("EntryT")


class State(StrEnum):
    """Where a model stands."""

    LOADING = "LOADING"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Status:
    """Where a model stands and, if it failed, why."""

    state: State
    problem: str = ""


@dataclass(slots=True, eq=False)
class _Model:
    loading: asyncio.Task[None] | None = None
    engine: Engine | None = None
    load_problem: str = ""

    @property
    def problem(self) -> str:
        return self.engine.problem if self.engine else self.load_problem

    @property
    def status(self) -> Status:
        if self.problem:
            return Status(State.FAILED, self.problem)
        return Status(State.READY if self.engine else State.LOADING)


class Engines(Generic[EntryT]):
    """Engines by model identifier. A model that fails to load leaves the others alone.

    Args:
        load: Makes a backend of an entry. Runs in a thread of the model's own, as all later calls of `generate` do.
        warm_up: A prompt for the first run, which pays for lazy initialisation before the first caller would.
        policy: Batches and bounds of each engine.
        cache_bytes: Memory for recent outputs of each engine; 0 is off.
        parallel_batches: Batches that run at once over all models: threads of a batch times this should not exceed the
            cores, or two batches together take longer than one after the other. A backend that runs fewer at once has
            more threads for each, and takes as many turns.
    """

    def __init__(
        self,
        load: Callable[[EntryT], Backend],
        *,
        warm_up: Callable[[EntryT, Backend], Prompt],
        policy: Policy,
        cache_bytes: int,
        parallel_batches: int = 1,
    ) -> None:
        self._load = load
        self._warm_up = warm_up
        self._policy = policy
        self._cache_bytes = cache_bytes
        self._parallel_batches = parallel_batches
        self._turns = asyncio.Semaphore(parallel_batches)
        self._door = asyncio.Lock()
        self._models: dict[str, _Model] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def load(self, model_id: str, entry: EntryT, *, after: Collection[asyncio.Task[None]] = ()) -> None:
        """Begin to load a model once the tasks of `after` are done, those of models that make room; LOADING till then.

        Raises:
            ValueError: The model was asked for already; `unload` it first, be it that it failed.
        """
        if model_id in self._models:
            raise ValueError(f"the model {model_id} was asked for already")
        model = self._models[model_id] = _Model()
        model.loading = asyncio.create_task(self._bring_up(model_id, entry, model, after))

    async def wait(self) -> None:
        """Return when no model is loading any more."""
        while loading := [model.loading for model in self._models.values() if model.loading]:
            await asyncio.wait(loading)

    def statuses(self) -> dict[str, Status]:
        """Where each model stands, in the order in which they were asked for; may be called from any thread."""
        return {model_id: model.status for model_id, model in list(self._models.items())}

    def engine(self, model_id: str) -> Engine:
        """The engine of a model that is ready.

        Raises:
            LoadingError: It is still being loaded.
            ModelChangedError: It has been taken away, was never asked for, or failed.
        """
        model = self._models.get(model_id)
        if model is None or model.problem:
            raise ModelChangedError(name=model_id)
        if model.engine is None:
            raise LoadingError
        return model.engine

    def unload(self, model_id: str, *, grace_s: float = 0.0) -> asyncio.Task[None]:
        """Take a model out of service at once; the task works off what it has for at most `grace_s`, and frees it.

        Raises:
            NotFoundError: It was never asked for.
        """
        model = self._models.pop(model_id, None)
        if model is None:
            raise NotFoundError(kind="model", name=model_id)
        task = asyncio.create_task(_take_down(model, grace_s))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        return task

    async def close(self, *, grace_s: float = 0.0) -> None:
        """Unload all models side by side, and see those out that are leaving."""
        for model_id in list(self._models):
            self.unload(model_id, grace_s=grace_s)
        await asyncio.gather(*self._leaving)

    async def _bring_up(
        self, model_id: str, entry: EntryT, model: _Model, after: Collection[asyncio.Task[None]]
    ) -> None:
        if after:
            await asyncio.wait(after)
        thread = ModelThread(f"model-{model_id}")
        try:
            backend = await thread.run(self._load_and_warm, entry)
        except Exception as error:
            # Many a message begins with the model, which whoever shows it names as well.
            model.load_problem = str(error).removeprefix(f"{model_id}: ") or type(error).__name__
            expected = isinstance(error, ModelError)  # its message says all, and the trace of it nothing
            LOG.exception("the model %s cannot be loaded: %s", model_id, model.load_problem, exc_info=not expected)
            thread.stop()
        else:
            # Where rows join, those in the background need threads of their own.
            number = backend.parallel * (2 if backend.supports_continuous_batching else 1)
            threads = [thread, *(ModelThread(f"model-{model_id}-{n}") for n in range(2, number + 1))]
            at_once = 1 if backend.supports_continuous_batching else backend.parallel
            turn = partial(self._turn, max(1, self._parallel_batches // at_once))
            model.engine = Engine(
                backend, threads=threads, policy=self._policy, cache_bytes=self._cache_bytes, turn=turn
            )
        finally:
            model.loading = None

    @asynccontextmanager
    async def _turn(self, turns: int) -> AsyncGenerator[OthersWait]:
        """So many of the turns, in order of arrival; gives what says whether others wait for theirs."""
        taken = 0
        try:
            async with self._door:  # whoever needs several gets them before the next one gets any
                while taken < turns:
                    await self._turns.acquire()
                    taken += 1
            yield self._door.locked
        finally:
            for _ in range(taken):
                self._turns.release()

    def _load_and_warm(self, entry: EntryT) -> Backend:
        backend = self._load(entry)
        try:
            backend.generate([self._warm_up(entry, backend)], Decoding())
        except BaseException:
            backend.close()
            raise
        return backend


async def _take_down(model: _Model, grace_s: float) -> None:
    if model.loading:
        # A thread cannot be stopped, and memory that it still fills cannot be freed.
        await asyncio.wait([model.loading])
    if model.engine:
        await model.engine.drain(grace_s)
