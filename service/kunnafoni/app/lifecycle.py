"""From start to stop: loads the models, serves, changes models on SIGHUP, drains and ends on SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING, Any

from kunnafoni.app.model_loading import check_ready, load_models, log_models, make_engines, reload_models
from kunnafoni.config import SettingsError
from kunnafoni_models.backend import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from kunnafoni.app.application import Application
    from kunnafoni.app.listeners import Listener
    from kunnafoni.config import Settings
    from kunnafoni.engine.engine_manager import EngineManager
    from kunnafoni.translation.model_pool import ModelPool
    from kunnafoni_models.catalog.entry import CatalogEntry

    Compose = Callable[[Settings, ModelPool], tuple[Application, Sequence[Listener]]]

LOG = logging.getLogger(__name__)
# A runtime asks for the interpreter at each token of each row. While sentences are checked without pause, a batch of 16
# rows takes 9 % longer with Python's own 5 ms, and 1 % with this (one thread of two cores, 2026-11-25).
SWITCH_INTERVAL_S = 0.0003


async def run(settings: Settings, read_again: Callable[[], Settings], compose: Compose) -> None:
    """Load the configured models and serve until SIGTERM or SIGINT.

    SIGHUP loads, unloads and maps models as `read_again` then says, while the service goes on; all else stays.

    Args:
        settings: As they are at the start.
        read_again: Reads the settings once more.
        compose: Makes the application and its listeners, in the order in which they are to be started. It is called
            when the models have begun to load: what it imports takes a third of the time that they take.

    Raises:
        ListenError: an address cannot be listened on.
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
    application, listeners = compose(settings, model_pool)
    try:
        for listener in listeners:
            await listener.start()
        await _first(engines.wait(), stopping.wait())
        if not stopping.is_set():
            log_models(engines)
            check_ready(engines)
            application.start()
            for listener in listeners:
                await listener.serve()
            LOG.info("serving")
            await _first(stopping.wait(), _change(changing, model_pool, engines, read_again))
        LOG.info("stopping, at most %.0f s for running calls", settings.grace_s)
    finally:
        application.drain()
        for listener in reversed(listeners):
            await listener.stop(settings.grace_s)
        await application.stop()
        await engines.close()
    LOG.info("stopped")


async def _change(
    changing: asyncio.Event,
    model_pool: ModelPool,
    engines: EngineManager[CatalogEntry],
    read_again: Callable[[], Settings],
) -> None:
    """Whenever `changing` is set, read the settings again and reload the models; log what is wrong with them."""
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
            log_models(engines)


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when one of `waits` does, or raise what it does, and cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    for task in done:
        task.result()
