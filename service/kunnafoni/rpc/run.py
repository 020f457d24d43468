"""From settings to a running server: loads the catalog and the models, serves, and ends on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from kunnafoni.engine.engines import Engines, State
from kunnafoni.engine.policy import Policy
from kunnafoni.fleet import Fleet
from kunnafoni_models import registry
from kunnafoni_models.backend import CatalogError, ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from kunnafoni.config import Settings
    from kunnafoni.jobs.desk import JobDesk
    from kunnafoni.rpc.server import Server
    from kunnafoni_models.backend import Backend, Prompt
    from kunnafoni_models.entries import CatalogEntry

LOG = logging.getLogger(__name__)


async def run(settings: Settings) -> None:
    """Load the configured models and serve until SIGTERM or SIGINT.

    Raises:
        ListenError: the address cannot be listened on.
        ModelError: the catalog is wrong, a model is not in it, or none of the models could be loaded.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    entries = registry.catalog([settings.models_dir] if settings.models_dir else [])
    chosen = [_chosen(entries, model_id) for model_id in settings.models]
    engines = make_engines(settings)
    for entry in chosen:
        engines.load(entry.id, entry)
    await asyncio.sleep(0)  # the models begin to load; the rest is imported and put together meanwhile
    server, desk = make_server(settings, Fleet(entries, engines))
    try:
        LOG.info("listening on %s", await server.start(settings.address))
        await _first(engines.wait(), stopping.wait())
        if not stopping.is_set():
            _log_models(engines)
            desk.start()
            await server.serve()
            LOG.info("serving")
            await stopping.wait()
        LOG.info("stopping, at most %.0f s for running calls", settings.grace_s)
    finally:
        await server.stop(settings.grace_s)
        await desk.stop()
        await engines.close()
    LOG.info("stopped")


def make_server(settings: Settings, fleet: Fleet) -> tuple[Server, JobDesk]:
    """The server and its jobs; nothing listens and no database is opened before they start.

    What it imports takes a third of the time that the embedded model takes to load: import it when that has begun.
    """
    from kunnafoni.jobs.desk import JobDesk, store_url  # noqa: PLC0415
    from kunnafoni.jobs.runner import Pace  # noqa: PLC0415
    from kunnafoni.rpc.server import Server  # noqa: PLC0415
    from kunnafoni.rpc.servicers import Servicers  # noqa: PLC0415

    servicers = Servicers(settings, fleet)
    url = store_url(settings.jobs_url, settings.data_dir.expanduser())
    desk = JobDesk(url, servicers.work, Pace(lease_s=settings.job_lease_s, expiry_days=settings.job_expiry_days))
    return Server(settings, servicers, desk), desk


def make_engines(settings: Settings) -> Engines[CatalogEntry]:
    """Engines as the settings shape them; none is loaded. Needs a running event loop."""
    load = partial(registry.load, threads=settings.threads, device=settings.device)
    policy = Policy(
        batch_tokens=settings.max_batch_tokens,
        batch_rows=settings.max_batch_rows,
        max_wait_ms=settings.max_wait_ms,
        queue_tokens=settings.max_queue_tokens,
    )
    return Engines(load, warm_up=_warm_up, policy=policy, cache_bytes=settings.cache_bytes)


def _chosen(entries: Mapping[str, CatalogEntry], model_id: str) -> CatalogEntry:
    if model_id not in entries:
        raise CatalogError(f"there is no model {model_id} in the catalog; it has {', '.join(entries)}")
    return entries[model_id]


def _warm_up(entry: CatalogEntry, backend: Backend) -> Prompt:
    """The shortest run of whatever the model does."""
    if entry.directions:
        first = entry.directions[0]
        prompt = backend.translation_prompt("1", source=first.source, target=first.target)
    else:
        prompt = backend.summary_prompt("1", language=entry.summary_languages[0])
    return replace(prompt, max_output_tokens=1)


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when one of `waits` does, and cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    _, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()


def _log_models(engines: Engines[CatalogEntry]) -> None:
    """Say which models are ready.

    Raises:
        ModelLoadError: none is.
    """
    statuses = engines.statuses()
    for model_id, status in statuses.items():
        LOG.info("model %s: %s %s", model_id, status.state, status.problem)
    if not any(status.state is State.READY for status in statuses.values()):
        raise ModelLoadError("; ".join(f"{model_id}: {status.problem}" for model_id, status in statuses.items()))
