"""The gRPC server: servicers, health, reflection, and an end that cuts nobody off before its time.

Listens at once; health says NOT_SERVING until `serve` is called and from `stop` on, and in between follows the models.
It loads no models: `run.py` does.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import TYPE_CHECKING

import grpc
from grpc_reflection.v1alpha import reflection

from kunnafoni.rpc.health import HEALTH_SERVICE, SERVICES
from kunnafoni.rpc.interceptors import CallInterceptor
from kunnafoni.rpc.jobs import JobServicer
from kunnafoni.v1 import job_pb2_grpc, model_pb2_grpc, summarization_pb2_grpc, translation_pb2_grpc

if TYPE_CHECKING:
    from kunnafoni.config import Settings
    from kunnafoni.jobs.service import JobService
    from kunnafoni.rpc.metrics import Metrics
    from kunnafoni.rpc.servicers import Servicers

LOG = logging.getLogger(__name__)


class ListenError(OSError):
    """The address cannot be listened on."""


class Server:
    """Serves `servicers` and the jobs of `job_service`, with metrics or without; see `start` and `stop`."""

    def __init__(
        self, settings: Settings, servicers: Servicers, job_service: JobService, metrics: Metrics | None
    ) -> None:
        self._job_service = job_service
        self._health = servicers.health
        self._metrics = metrics
        self._metrics_address = settings.metrics_address
        self._calls = CallInterceptor(metrics.count_call if metrics else None)
        size = settings.max_message_bytes
        self._server = grpc.aio.server(
            interceptors=(self._calls,),
            options=[
                ("grpc.max_receive_message_length", size),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),  # a second server on the port must fail, not take half of the calls
                # Clients that follow a job for hours may ask whether anybody is there; gRPC's own bound is 5 minutes.
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ],
        )
        translation_pb2_grpc.add_TranslationServiceServicer_to_server(servicers.translation, self._server)
        summarization_pb2_grpc.add_SummarizationServiceServicer_to_server(servicers.summarization, self._server)
        model_pb2_grpc.add_ModelServiceServicer_to_server(servicers.models, self._server)
        job_pb2_grpc.add_JobServiceServicer_to_server(
            JobServicer(job_service, servicers.limits, expiry_days=settings.job_expiry_days), self._server
        )
        reflection.enable_server_reflection((*SERVICES, HEALTH_SERVICE, reflection.SERVICE_NAME), self._server)

    async def start(self, address: str) -> str:
        """Listen on `address` (port 0 is any free one) and give the real address; not SERVING yet.

        Raises:
            ListenError: it or the address of the metrics is taken or is none.
        """
        await self._health.add_to(self._server)
        host, _, _ = address.rpartition(":")
        await _check_free(address)
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise ListenError(f"cannot listen on {address}: the port is taken or the address is wrong") from error
        if self._metrics:
            LOG.info("metrics on http://%s/metrics", self._metrics.start(self._metrics_address))
        await self._server.start()
        return f"{host}:{port}"

    async def serve(self) -> None:
        """Say in health what the models and the job store can serve, from now on."""
        await self._health.follow(jobs_usable=lambda: self._job_service.usable)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls with UNAVAILABLE, let running ones end for at most `grace_s`, then cut them off."""
        self._calls.draining = True
        self._job_service.draining = True
        await self._health.stop()
        await self._calls.idle(grace_s)
        await self._server.stop(0)
        if self._metrics:
            await asyncio.to_thread(self._metrics.stop)


async def _check_free(address: str) -> None:
    """Check that nobody listens on any of a name's addresses: gRPC is content with one, and calls would go to another.

    Raises:
        ListenError: somebody does.
    """
    host, _, port = address.rpartition(":")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except OSError:
        return  # a socket's path, or nothing at all: gRPC says which
    for family, kind, _, _, socket_address in found:
        try:
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC: what has ended is no trouble
                probe.bind(socket_address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ListenError(f"cannot listen on {address}: {socket_address[0]} is taken there") from error
