"""From settings to a running server: loads the models, serves, changes models on SIGHUP, ends on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from kunnafoni.config import SettingsError
from kunnafoni.engine.engines import Engines, State
from kunnafoni.engine.policy import Policy
from kunnafoni.translation.model_pool import ModelPool, entry_of
from kunnafoni_models import registry
from kunnafoni_models.backend import ModelError, ModelLoadError
from kunnafoni_models.cores import parallel_batches, usable_cores
from kunnafoni_models.model_files import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from kunnafoni.config import Settings
    from kunnafoni.jobs.service import JobService
    from kunnafoni.rpc.server import Server
    from kunnafoni_models.backend import Backend, Prompt
    from kunnafoni_models.entries import CatalogEntry

LOG = logging.getLogger(__name__)
# A runtime asks for the interpreter at each token of each row. While sentences are checked without pause, a batch of 16
# rows takes 9 % longer with Python's own 5 ms, and 1 % with this (one thread of two cores, 2026-11-25).
SWITCH_INTERVAL_S = 0.0003


async def run(settings: Settings, read_again: Callable[[], Settings]) -> None:
    """Load the configured models and serve until SIGTERM or SIGINT.

    SIGHUP loads, unloads and maps models as `read_again` then says, without an end of service; all else stays.

    Raises:
        ListenError: the address cannot be listened on.
        ModelError: the catalog is wrong, a model is not in it, or none of the models could be loaded.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    loop, stopping, changing = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, changing.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # see `__main__.py`
    engines = make_engines(settings)
    model_pool = load_models(settings, engines)
    await asyncio.sleep(0)  # the models begin to load; the rest is imported and put together meanwhile
    server, job_service = make_server(settings, model_pool)
    try:
        LOG.info("listening on %s", await server.start(settings.address))
        await _first(engines.wait(), stopping.wait())
        if not stopping.is_set():
            _log_models(engines)
            check_ready(engines)
            job_service.start()
            await server.serve()
            LOG.info("serving")
            await _first(stopping.wait(), _change(changing, model_pool, engines, read_again))
        LOG.info("stopping, at most %.0f s for running calls", settings.grace_s)
    finally:
        await server.stop(settings.grace_s)
        await job_service.stop()
        await engines.close()
    LOG.info("stopped")


def load_models(settings: Settings, engines: Engines[CatalogEntry]) -> ModelPool:
    """The catalog, and the settings' models, which begin to load. Needs a running event loop.

    Raises:
        CatalogError: the catalog is wrong, or a model is not in it or cannot do what it is chosen for.
    """
    model_pool = ModelPool(
        _catalog(settings),
        engines,
        routes=settings.routes,
        summaries=settings.summaries,
        second_tries=settings.second_tries,
        pivots=settings.pivots,
    )
    for entry in [entry_of(model_pool.entries, model_id) for model_id in settings.models_to_load]:
        engines.load(entry.id, entry)
    return model_pool


async def reload_models(model_pool: ModelPool, engines: Engines[CatalogEntry], settings: Settings) -> None:
    """Make the model_pool what `settings` say: models that are no longer named or have changed go, new ones come.

    Models that failed are tried again. Returns when none is loading any more.

    Raises:
        CatalogError: as for `load_models`; nothing has changed then.
        ModelFileError: a file of what is to take a loaded model's place is missing or damaged; likewise.
    """
    entries = _catalog(settings)
    wanted = {model_id: entry_of(entries, model_id) for model_id in settings.models_to_load}
    ModelPool(entries, engines, routes=settings.routes, summaries=settings.summaries)  # raises if they do not fit
    changed = [each for each in engines.statuses() if not _is_same(model_pool.entries[each], wanted.get(each))]
    for model_id in wanted.keys() & changed:
        for problem in await asyncio.to_thread(problems, wanted[model_id]):
            raise problem
    leaving = [
        engines.unload(model_id, grace_s=settings.grace_s)
        for model_id, status in engines.statuses().items()
        if status.state is State.FAILED or model_id in changed
    ]
    model_pool.replace(entries, routes=settings.routes, summaries=settings.summaries)
    for model_id, entry in wanted.items():
        if model_pool.status(model_id) is None:
            engines.load(model_id, entry, after=leaving)  # in the memory that those leave
    await asyncio.gather(*leaving)
    await engines.wait()


def _is_same(loaded: CatalogEntry, wanted: CatalogEntry | None) -> bool:
    """Whether a loaded model is what is wanted; new figures do not make it another."""
    return wanted is not None and (loaded.fingerprint, loaded.folder) == (wanted.fingerprint, wanted.folder)


async def _change(
    changing: asyncio.Event, model_pool: ModelPool, engines: Engines[CatalogEntry], read_again: Callable[[], Settings]
) -> None:
    """For ever: when told to, read the settings again and reload the models; wrong ones are logged."""
    while True:
        await changing.wait()
        changing.clear()
        try:
            await reload_models(model_pool, engines, read_again())
        except (SettingsError, ModelError) as error:
            LOG.error("the models stay as they are: %s", error)  # noqa: TRY400 - the operator's mistake, not a bug
        except Exception:
            LOG.exception("the models could not be changed")
        else:
            _log_models(engines)


def make_server(settings: Settings, model_pool: ModelPool) -> tuple[Server, JobService]:
    """The server and its jobs; nothing listens and no database is opened before they start.

    What it imports takes a third of the time that the embedded model takes to load: import it when that has begun.
    """
    from kunnafoni.jobs.runner import Pace  # noqa: PLC0415
    from kunnafoni.jobs.service import JobService, store_url  # noqa: PLC0415
    from kunnafoni.rpc.server import Server  # noqa: PLC0415
    from kunnafoni.rpc.servicers import Servicers  # noqa: PLC0415

    servicers = Servicers(settings, model_pool)
    url = store_url(settings.jobs_url, settings.data_dir)
    job_service = JobService(
        url, servicers.work, Pace(lease_s=settings.job_lease_s, expiry_days=settings.job_expiry_days)
    )
    metrics = None
    if settings.metrics_address:
        from kunnafoni.rpc.metrics import Metrics  # noqa: PLC0415

        metrics = Metrics(model_pool, jobs_usable=lambda: job_service.usable)
    return Server(settings, servicers, job_service, metrics), job_service


def make_engines(settings: Settings) -> Engines[CatalogEntry]:
    """Engines as the settings shape them; none is loaded. Needs a running event loop."""
    threads = settings.threads or usable_cores()
    parallel = parallel_batches(threads, wanted=settings.parallel_batches)
    load = partial(registry.load, threads=threads, parallel=parallel, device=settings.device)
    policy = Policy(
        batch_tokens=settings.max_batch_tokens,
        batch_rows=settings.max_batch_rows,
        max_wait_ms=settings.max_wait_ms,
        queue_tokens=settings.max_queue_tokens,
    )
    return Engines(load, warm_up=_warm_up, policy=policy, cache_bytes=settings.cache_bytes, parallel_batches=parallel)


def _catalog(settings: Settings) -> dict[str, CatalogEntry]:
    return registry.catalog([settings.models_dir] if settings.models_dir else [])


def _warm_up(entry: CatalogEntry, backend: Backend) -> Prompt:
    """The shortest run of whatever the model does."""
    if entry.directions:
        first = entry.directions[0]
        prompt = backend.translation_prompt("1", source=first.source, target=first.target)
    else:
        prompt = backend.summary_prompt("1", language=entry.summary_languages[0])
    return replace(prompt, max_output_tokens=1)


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when one of `waits` does, or raise what it does, and cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for task in done:
        task.result()


def _log_models(engines: Engines[CatalogEntry]) -> None:
    for model_id, status in engines.statuses().items():
        LOG.info("model %s: %s %s", model_id, status.state, status.problem)


def check_ready(engines: Engines[CatalogEntry]) -> None:
    """Check that there is a model to serve with.

    Raises:
        ModelLoadError: none could be loaded; says why each.
    """
    statuses = engines.statuses()
    if not any(status.state is State.READY for status in statuses.values()):
        raise ModelLoadError("; ".join(f"{model_id}: {status.problem}" for model_id, status in statuses.items()))
