"""The pipeline without a server around it: what an actor of a cluster does to rows is what a server does to items."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from kunnafoni.rpc.run import check_ready, load_models, make_engines
from kunnafoni.rpc.servicers import Servicers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kunnafoni.config import Settings
    from kunnafoni.rpc.job_work import PipelineWork


@asynccontextmanager
async def pipeline_work(settings: Settings) -> AsyncGenerator[PipelineWork]:
    """Load the configured models and give the work on them; unload them at the end.

    Raises:
        ModelError: a model is not in the catalog or cannot be loaded.
    """
    engines = make_engines(settings)
    model_pool = load_models(settings, engines)
    await engines.wait()
    try:
        check_ready(engines)
        yield Servicers(settings, model_pool).work
    finally:
        await engines.close()
