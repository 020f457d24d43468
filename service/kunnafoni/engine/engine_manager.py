"""Loads models concurrently, warms them up, returns their engines, and unloads them.

It knows no catalog and no files: the function `load` makes a backend of a catalog entry.
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

    from kunnafoni.engine.batcher import IsContended
    from kunnafoni.engine.scheduler_config import SchedulerConfig

LOG = logging.getLogger(__name__)
EntryT = TypeVar("EntryT")


class ModelState(StrEnum):
    """Whether a model is ready."""

    LOADING = "LOADING"
    READY = "READY"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """Whether a model is ready and, if it failed, why."""

    state: ModelState
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
    def status(self) -> ModelStatus:
        if self.problem:
            return ModelStatus(ModelState.FAILED, self.problem)
        return ModelStatus(ModelState.READY if self.engine else ModelState.LOADING)


class EngineManager(Generic[EntryT]):
    """Engines by model id. A model that fails to load does not affect the others.

    Args:
        load: Makes a backend of an entry. It runs in a thread of the model, as do all later calls of `generate`.
        warm_up: Returns a prompt for the first run, which pays for lazy initialisation before the first request would.
        config: Batches and bounds of each engine.
        cache_bytes: Memory for recent outputs of each engine; 0 is off.
        parallel_batches: Batches that run at the same time, over all models. This times the threads of a batch should
            not exceed the cores, or else two batches together take longer than one after the other. A backend that runs
            fewer batches has more threads for each, and each of its batches takes the place of several.
    """

    def __init__(
        self,
        load: Callable[[EntryT], Backend],
        *,
        warm_up: Callable[[EntryT, Backend], Prompt],
        config: SchedulerConfig,
        cache_bytes: int,
        parallel_batches: int = 1,
    ) -> None:
        self._load = load
        self._warm_up = warm_up
        self._config = config
        self._cache_bytes = cache_bytes
        self._parallel_batches = parallel_batches
        self._processor = asyncio.Semaphore(parallel_batches)
        self._acquiring = asyncio.Lock()
        self._models: dict[str, _Model] = {}
        self._unloading: set[asyncio.Task[None]] = set()

    def load(self, model_id: str, entry: EntryT, *, after: Collection[asyncio.Task[None]] = ()) -> None:
        """Start to load a model; first wait for the tasks of `after`, which unload models to free memory.

        Raises:
            ValueError: The model was loaded or failed to load before; `unload` it first.
        """
        if model_id in self._models:
            raise ValueError(f"the model {model_id} was loaded already")
        model = self._models[model_id] = _Model()
        model.loading = asyncio.create_task(self._load_engine(model_id, entry, model, after))

    async def wait(self) -> None:
        """Return when no model is loading any more."""
        while loading := [model.loading for model in self._models.values() if model.loading]:
            await asyncio.wait(loading)

    def statuses(self) -> dict[str, ModelStatus]:
        """The status of each model, in the order in which they were loaded; may be called from any thread."""
        return {model_id: model.status for model_id, model in list(self._models.items())}

    def engine(self, model_id: str) -> Engine:
        """The engine of a model that is ready.

        Raises:
            LoadingError: It is still being loaded.
            ModelChangedError: It was unloaded or never loaded, or it failed.
        """
        model = self._models.get(model_id)
        if model is None or model.problem:
            raise ModelChangedError(name=model_id)
        if model.engine is None:
            raise LoadingError
        return model.engine

    def unload(self, model_id: str, *, grace_s: float = 0.0) -> asyncio.Task[None]:
        """Take a model out of service at once; the task finishes its requests for at most `grace_s`, and frees it.

        Raises:
            NotFoundError: It was never loaded.
        """
        model = self._models.pop(model_id, None)
        if model is None:
            raise NotFoundError(kind="model", name=model_id)
        task = asyncio.create_task(_unload(model, grace_s))
        self._unloading.add(task)
        task.add_done_callback(self._unloading.discard)
        return task

    async def close(self, *, grace_s: float = 0.0) -> None:
        """Unload all models concurrently, and wait for those that are being unloaded."""
        for model_id in list(self._models):
            self.unload(model_id, grace_s=grace_s)
        await asyncio.gather(*self._unloading)

    async def _load_engine(
        self, model_id: str, entry: EntryT, model: _Model, after: Collection[asyncio.Task[None]]
    ) -> None:
        if after:
            await asyncio.wait(after)
        thread = ModelThread(f"model-{model_id}")
        try:
            backend = await thread.run(self._load_and_warm, entry)
        except Exception as error:
            # Many messages begin with the model's id, which is shown beside the message anyway.
            model.load_problem = str(error).removeprefix(f"{model_id}: ") or type(error).__name__
            expected = isinstance(error, ModelError)  # its message says everything, so no traceback is needed
            LOG.exception("the model %s cannot be loaded: %s", model_id, model.load_problem, exc_info=not expected)
            thread.stop()
        else:
            # With continuous batching, background sequences need threads of their own.
            count = backend.parallel * (2 if backend.supports_continuous_batching else 1)
            threads = [thread, *(ModelThread(f"model-{model_id}-{n}") for n in range(2, count + 1))]
            batches = 1 if backend.supports_continuous_batching else backend.parallel
            permits = max(1, self._parallel_batches // batches)
            model.engine = Engine(
                backend,
                threads=threads,
                config=self._config,
                cache_bytes=self._cache_bytes,
                acquire_processor=partial(self._acquire_processor, permits),
            )
        finally:
            model.loading = None

    @asynccontextmanager
    async def _acquire_processor(self, permits: int) -> AsyncGenerator[IsContended]:
        """Hold so many permits of the processor, in order of arrival; yields a function: does another model wait?"""
        acquired = 0
        try:
            async with self._acquiring:  # a model that needs several permits acquires them before the next model
                while acquired < permits:
                    await self._processor.acquire()
                    acquired += 1
            yield self._acquiring.locked
        finally:
            for _ in range(acquired):
                self._processor.release()

    def _load_and_warm(self, entry: EntryT) -> Backend:
        backend = self._load(entry)
        try:
            backend.generate([self._warm_up(entry, backend)], Decoding())
        except BaseException:
            backend.close()
            raise
        return backend


async def _unload(model: _Model, grace_s: float) -> None:
    if model.loading:
        # A thread cannot be stopped, and memory that it still fills cannot be freed.
        await asyncio.wait([model.loading])
    if model.engine:
        await model.engine.drain(grace_s)
