"""`kunnafoni serve`: start the server in this process."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kunnafoni.config import load_settings, unknown_variables
from kunnafoni_models.extras import needs_extra

if TYPE_CHECKING:
    from kunnafoni.app.application import Application
    from kunnafoni.app.listeners import Listener
    from kunnafoni.config import Settings
    from kunnafoni.translation.model_pool import ModelPool

LOG = logging.getLogger(__name__)


def serve(
    *,
    address: Annotated[
        str | None, typer.Option("--address", "-a", help="host:port to listen on; port 0 is any.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="Model to load; may be repeated.")] = None,
    models_dir: Annotated[Path | None, typer.Option("--models-dir", help="Folder with further models.")] = None,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Folder of the jobs database.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=0, help="Threads per model; 0 is all cores.")] = None,
    grace: Annotated[float | None, typer.Option("--grace", min=0, help="Seconds for running calls at the end.")] = None,
    log_level: Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.")] = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C. All settings, for the environment or kunnafoni.toml: docs/configuration.md."""
    read_settings = partial(
        load_settings,
        address=address,
        models=tuple(model) if model else None,
        models_dir=models_dir,
        data_dir=data_dir,
        threads=threads,
        grace_s=grace,
        log_level=log_level,
    )
    settings = read_settings()
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("alembic.runtime.plugins").setLevel("WARNING")  # it logs each of its own parts
    if unknown := unknown_variables():
        LOG.warning("no settings, ignored: %s", ", ".join(unknown))
    with needs_extra("server", "the server"):
        from kunnafoni.app.lifecycle import run  # noqa: PLC0415 - the other commands need no server

    asyncio.run(run(settings, read_settings, compose))


def compose(settings: Settings, model_pool: ModelPool) -> tuple[Application, list[Listener]]:
    """The application over `model_pool` and what it is called through: the page of metrics if wanted, then gRPC."""
    # Imported here: it takes a third of the time that the embedded model takes to load, and that has begun by now.
    with needs_extra("server", "the server"):
        from kunnafoni.app.application import Application  # noqa: PLC0415
        from kunnafoni.rpc.job_codec import JobCodec  # noqa: PLC0415
        from kunnafoni.rpc.server import Server  # noqa: PLC0415

    application = Application(settings, model_pool, JobCodec())
    if not settings.metrics_address:
        return application, [Server(application)]
    from kunnafoni.app.metrics import MetricsPage  # noqa: PLC0415

    metrics = MetricsPage(application, settings.metrics_address)
    return application, [metrics, Server(application, on_call_end=metrics.count_call)]
