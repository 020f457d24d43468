"""The gRPC server of an application: servicers, health, reflection, and a stop that lets running calls end.

It listens at once; health says NOT_SERVING until `serve` is called and from `stop` on, and in between follows the
models. It loads no models: `app/lifecycle.py` does.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from typing import TYPE_CHECKING

import grpc
from grpc_reflection.v1alpha import reflection

from kunnafoni.app.listeners import ListenError
from kunnafoni.rpc.health import HEALTH_SERVICE, SERVICES, Health
from kunnafoni.rpc.interceptors import CallInterceptor
from kunnafoni.rpc.jobs import JobServicer
from kunnafoni.rpc.models import ModelServicer
from kunnafoni.rpc.requests import Limits
from kunnafoni.rpc.summarization import SummarizationServicer
from kunnafoni.rpc.translation import TranslationServicer
from kunnafoni.v1 import job_pb2_grpc, model_pb2_grpc, summarization_pb2_grpc, translation_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from kunnafoni.app.application import Application
    from kunnafoni.config import Settings

LOG = logging.getLogger(__name__)


class Server:
    """A `Listener` that serves an application over gRPC, on its settings' `address`."""

    def __init__(
        self, application: Application, *, on_call_end: Callable[[str, str, float], None] | None = None
    ) -> None:
        """Put it together, without listening yet.

        Args:
            application: What is served.
            on_call_end: Called with the method, the status code and the seconds of every call that has ended.
        """
        settings, limits = application.settings, _limits(application.settings)
        self._application = application
        self._address = settings.address
        self._health = Health(application.model_pool)
        self._calls = CallInterceptor(on_call_end)
        self._server = grpc.aio.server(
            interceptors=(self._calls,),
            options=[
                ("grpc.max_receive_message_length", settings.max_message_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),  # a second server on the port must fail, not take half of the calls
                # Clients that follow a job for hours may ask whether anybody is there; gRPC's own bound is 5 minutes.
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ],
        )
        translation_pb2_grpc.add_TranslationServiceServicer_to_server(
            TranslationServicer(application.translator, limits), self._server
        )
        summarization_pb2_grpc.add_SummarizationServiceServicer_to_server(
            SummarizationServicer(application.summarizer, limits), self._server
        )
        model_pb2_grpc.add_ModelServiceServicer_to_server(ModelServicer(application.model_pool, limits), self._server)
        job_pb2_grpc.add_JobServiceServicer_to_server(
            JobServicer(application.job_service, limits, expiry_days=settings.job_expiry_days), self._server
        )
        reflection.enable_server_reflection((*SERVICES, HEALTH_SERVICE, reflection.SERVICE_NAME), self._server)

    async def start(self) -> str:
        """See Listener: from now on calls are taken, and health says NOT_SERVING."""
        await self._health.add_to(self._server)
        host, _, _ = self._address.rpartition(":")
        await _check_free(self._address)
        try:
            port = self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            problem = f"cannot listen on {self._address}: the port is taken or the address is wrong"
            raise ListenError(problem) from error
        await self._server.start()
        address = f"{host}:{port}"
        LOG.info("listening on %s", address)
        return address

    async def serve(self) -> None:
        """See Listener: from now on health says what the models and the job store can serve."""
        await self._health.follow(jobs_usable=lambda: self._application.job_service.usable)

    async def stop(self, grace_s: float) -> None:
        """See Listener: new calls are refused with UNAVAILABLE."""
        self._calls.draining = True
        await self._health.stop()
        await self._calls.idle(grace_s)
        await self._server.stop(0)


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_contents=settings.max_contents,
        max_content_code_points=settings.max_content_code_points,
        max_call_code_points=settings.max_call_code_points,
        max_message_bytes=settings.max_message_bytes,
        max_beam_size=settings.max_beam_size,
    )


async def _check_free(address: str) -> None:
    """Check that nobody listens on any address of the host: gRPC is content with one, and calls would go to another.

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
