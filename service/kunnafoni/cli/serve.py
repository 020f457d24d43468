"""`kunnafoni serve`: start the server in this process."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from kunnafoni.config import load_settings, unknown_variables

LOG = logging.getLogger(__name__)


def serve(
    *,
    address: Annotated[
        str | None, typer.Option("--address", "-a", help="host:port to listen on; port 0 is any.")
    ] = None,
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="Model to load; may be repeated.")] = None,
    models_dir: Annotated[Path | None, typer.Option("--models-dir", help="Folder with further models.")] = None,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="Folder of the jobs database.")] = None,
    threads: Annotated[int | None, typer.Option("--threads", min=0, help="Threads a model; 0 is all cores.")] = None,
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
    logging.getLogger("alembic.runtime.plugins").setLevel("WARNING")  # it tells of each part of itself
    if unknown := unknown_variables():
        LOG.warning("no settings, ignored: %s", ", ".join(unknown))
    from kunnafoni.rpc.run import run  # noqa: PLC0415 - the other commands need no server

    asyncio.run(run(settings, read_settings))
