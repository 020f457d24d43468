"""grpc.health.v1: whether the server, each of its services and each of its models can answer now.

It looks at the models every second. A model that failed to load, or that failed later, is NOT_SERVING, and so are the
services that cannot do without it, and no others.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from kunnafoni.engine.engine_manager import ModelState
from kunnafoni.v1 import job_pb2, model_pb2, summarization_pb2, translation_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc

    from kunnafoni.translation.model_pool import ModelPool

HEALTH_SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
[TRANSLATION, SUMMARIZATION, JOBS, MODELS] = SERVICES = [
    service.full_name
    for file in (translation_pb2, summarization_pb2, job_pb2, model_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
LOOK_EVERY_S = 1.0


class Health:
    """The health service of a server with `model_pool`: NOT_SERVING until `follow`, and for good from `stop` on."""

    def __init__(self, model_pool: ModelPool) -> None:
        self._model_pool = model_pool
        self._servicer = health.aio.HealthServicer()
        self._announced: set[str] = set()
        self._follower: asyncio.Task[None] | None = None
        self._jobs_usable: Callable[[], bool] = lambda: False

    async def add_to(self, server: grpc.aio.Server) -> None:
        """Serve it."""
        for service in ("", *SERVICES):
            await self._servicer.set(service, NOT_SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def follow(self, *, jobs_usable: Callable[[], bool]) -> None:
        """Announce the states now and whenever they change; `jobs_usable` says whether the job store can be used."""
        self._jobs_usable = jobs_usable
        await self._announce()
        self._follower = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Announce that nothing is served any more."""
        if self._follower:
            self._follower.cancel()
        await self._servicer.enter_graceful_shutdown()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._announce()

    async def _announce(self) -> None:
        states = self._states()
        for name in self._announced | states.keys():
            await self._servicer.set(name, SERVING if states.get(name) else NOT_SERVING)
        self._announced |= states.keys()

    def _states(self) -> dict[str, bool]:
        """Whether each service can answer, and each model (`models/ID`). Summaries need a model to count tokens."""
        models = {
            model_id: status.state is ModelState.READY for model_id, status in self._model_pool.statuses().items()
        }
        any_ready = any(models.values())
        return {
            "": any_ready,
            TRANSLATION: bool(self._model_pool.routes()),
            SUMMARIZATION: any_ready,
            JOBS: any_ready and self._jobs_usable(),
            MODELS: True,
            **{f"models/{model_id}": ready for model_id, ready in models.items()},
        }
