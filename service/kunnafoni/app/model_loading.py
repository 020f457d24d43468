"""Models as the settings name them: loaded at the start, replaced when the settings have changed."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from kunnafoni.engine.engine_manager import EngineManager, ModelState
from kunnafoni.engine.scheduler_config import SchedulerConfig
from kunnafoni.translation.model_pool import ModelPool, entry_of
from kunnafoni_models import registry
from kunnafoni_models.backend import ModelLoadError
from kunnafoni_models.catalog.model_files import file_problems
from kunnafoni_models.machine.cpu_cores import parallel_batches, usable_cores

if TYPE_CHECKING:
    from kunnafoni.config import Settings
    from kunnafoni_models.backend import Backend, Prompt
    from kunnafoni_models.catalog.entry import CatalogEntry

LOG = logging.getLogger(__name__)


def make_engines(settings: Settings) -> EngineManager[CatalogEntry]:
    """Engines as the settings shape them; no model is loaded. Needs a running event loop."""
    threads = settings.threads or usable_cores()
    parallel = parallel_batches(threads, wanted=settings.parallel_batches)
    load = partial(registry.load, threads=threads, parallel=parallel, device=settings.device)
    config = SchedulerConfig(
        max_batch_tokens=settings.max_batch_tokens,
        max_batch_sequences=settings.max_batch_sequences,
        max_wait_ms=settings.max_wait_ms,
        max_queue_tokens=settings.max_queue_tokens,
    )
    return EngineManager(
        load, warm_up=_warm_up, config=config, cache_bytes=settings.cache_bytes, parallel_batches=parallel
    )


def make_model_pool(
    settings: Settings, entries: dict[str, CatalogEntry], engines: EngineManager[CatalogEntry]
) -> ModelPool:
    """A model pool over `entries` as the settings shape it.

    Raises:
        CatalogError: a model of `routes` or `summaries` is not in `entries` or cannot do what it is chosen for.
    """
    return ModelPool(
        entries,
        engines,
        routes=settings.routes,
        summaries=settings.summaries,
        fallback_decoding=settings.fallback_decoding,
        pivots=settings.pivots,
    )


def load_models(settings: Settings, engines: EngineManager[CatalogEntry]) -> ModelPool:
    """The catalog, and the models that the settings name, which begin to load. Needs a running event loop.

    Raises:
        CatalogError: the catalog is wrong, or a model is not in it or cannot do what it is chosen for.
    """
    model_pool = make_model_pool(settings, _catalog(settings), engines)
    for entry in [entry_of(model_pool.entries, model_id) for model_id in settings.models_to_load]:
        engines.load(entry.id, entry)
    return model_pool


async def reload_models(model_pool: ModelPool, engines: EngineManager[CatalogEntry], settings: Settings) -> None:
    """Make the model pool what `settings` say: models that are no longer named or have changed go, new ones come.

    Models that failed are tried again. Returns when no model is loading any more.

    Raises:
        CatalogError: as for `load_models`; nothing has changed then.
        ModelFileError: a file of a model that is to replace a loaded one is missing or damaged; likewise.
    """
    entries = _catalog(settings)
    wanted = {model_id: entry_of(entries, model_id) for model_id in settings.models_to_load}
    make_model_pool(settings, entries, engines)  # raises if they do not fit
    changed = [each for each in engines.statuses() if not _is_same(model_pool.entries[each], wanted.get(each))]
    for model_id in wanted.keys() & changed:
        for problem in await asyncio.to_thread(file_problems, wanted[model_id]):
            raise problem
    leaving = [
        engines.unload(model_id, grace_s=settings.grace_s)
        for model_id, status in engines.statuses().items()
        if status.state is ModelState.FAILED or model_id in changed
    ]
    model_pool.replace(entries, routes=settings.routes, summaries=settings.summaries)
    for model_id, entry in wanted.items():
        if model_pool.status(model_id) is None:
            engines.load(model_id, entry, after=leaving)  # in the memory that those leave
    await asyncio.gather(*leaving)
    await engines.wait()


def check_ready(engines: EngineManager[CatalogEntry]) -> None:
    """Check that there is a model to serve with.

    Raises:
        ModelLoadError: no model could be loaded; the message says why, for each of them.
    """
    statuses = engines.statuses()
    if not any(status.state is ModelState.READY for status in statuses.values()):
        raise ModelLoadError("; ".join(f"{model_id}: {status.problem}" for model_id, status in statuses.items()))


def log_models(engines: EngineManager[CatalogEntry]) -> None:
    """Log the state of every model."""
    for model_id, status in engines.statuses().items():
        LOG.info("model %s: %s %s", model_id, status.state, status.problem)


def _catalog(settings: Settings) -> dict[str, CatalogEntry]:
    return registry.catalog([settings.models_dir] if settings.models_dir else [])


def _is_same(loaded: CatalogEntry, wanted: CatalogEntry | None) -> bool:
    """Whether a loaded model is what is wanted; other quality figures do not make it another model."""
    return wanted is not None and (loaded.fingerprint, loaded.folder) == (wanted.fingerprint, wanted.folder)


def _warm_up(entry: CatalogEntry, backend: Backend) -> Prompt:
    """The shortest prompt for what the model does."""
    if entry.directions:
        first = entry.directions[0]
        prompt = backend.translation_prompt("1", source=first.source, target=first.target)
    else:
        prompt = backend.summary_prompt("1", language=entry.summary_languages[0])
    return replace(prompt, max_output_tokens=1)
