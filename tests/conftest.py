"""Servers for the tests: the real one on localhost, in this process on the echo backend, or in a process of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import grpc
import hypothesis
import pytest

from kunnafoni.app.model_loading import make_engines, make_model_pool
from kunnafoni.cli.local_server import LocalServer, local_server
from kunnafoni.cli.serve import compose
from kunnafoni.config import Settings
from kunnafoni.v1 import model_pb2_grpc, translation_pb2_grpc
from kunnafoni_models import registry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator

    from kunnafoni.app.listeners import Listener
    from kunnafoni.engine.engine_manager import EngineManager
    from kunnafoni.translation.model_pool import ModelPool
    from kunnafoni_models.catalog.entry import CatalogEntry

# The machines are shared: how long an example takes says nothing.
hypothesis.settings.register_profile("shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("shared")


@dataclass(frozen=True)
class Served:
    """A server in this process, and stubs for it."""

    server: Listener
    model_pool: ModelPool
    engines: EngineManager[CatalogEntry]
    channel: grpc.aio.Channel
    address: str

    @property
    def translation(self) -> translation_pb2_grpc.TranslationServiceAsyncStub:
        return translation_pb2_grpc.TranslationServiceStub(self.channel)

    @property
    def model(self) -> model_pb2_grpc.ModelServiceAsyncStub:
        return model_pb2_grpc.ModelServiceStub(self.channel)

    def queued(self, model_id: str = "echo") -> int:
        """Rows that wait for a model."""
        return self.model_pool.engine(model_id).stats().batcher.queued_sequences

    @contextmanager
    def held(self, model_id: str = "echo") -> Generator[None]:
        """Let no batch of a model end in this context."""
        backend: Any = self.model_pool.engine(model_id).backend
        generate, go_on = backend.generate, threading.Event()

        def waiting(*batch: Any) -> Any:
            assert go_on.wait(200)
            return generate(*batch)

        backend.generate = waiting
        try:
            yield
        finally:
            go_on.set()
            backend.generate = generate


def until(condition: Callable[[], bool], timeout_s: float = 200, every_s: float = 0.02) -> None:
    """Wait in a thread until `condition` holds."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "it did not come to pass"
        time.sleep(every_s)


async def until_async(condition: Callable[[], bool], timeout_s: float = 200) -> None:
    """Wait in an event loop until `condition` holds."""
    async with asyncio.timeout(timeout_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def serve(*entries: CatalogEntry, **settings: Any) -> AsyncGenerator[Served]:
    """A server with `entries` loaded, on a free port; `settings` are those of `config.py`."""
    settings.setdefault("address", "localhost:0")
    configured = Settings(**settings)
    engines = make_engines(configured)
    model_pool = make_model_pool(configured, {entry.id: entry for entry in entries}, engines)
    _, listeners = compose(configured, model_pool)
    try:
        *_, address = [await listener.start() for listener in listeners]
        for entry in entries:
            engines.load(entry.id, entry)
        await engines.wait()
        for listener in listeners:
            await listener.serve()
        # A send limit above the server's receive limit, so that it is the server that refuses.
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            yield Served(listeners[-1], model_pool, engines, channel, address)
    finally:
        for listener in reversed(listeners):
            await listener.stop(grace_s=0)
        await engines.close()


def echo_entry(**options: Any) -> CatalogEntry:
    """The echo model with other options than the catalog's."""
    entry = registry.catalog()["echo"]
    return replace(entry, options={**entry.options, **options})


@pytest.fixture
async def echo() -> AsyncIterator[Served]:
    """A server on the echo backend."""
    async with serve(echo_entry()) as served:
        yield served


@pytest.fixture
async def slow_echo() -> AsyncIterator[Served]:
    """A server on an echo backend that takes its time: half a second a batch of at most four rows."""
    async with serve(echo_entry(batch_delay_ms=500), max_batch_sequences=4) as served:
        yield served


@pytest.fixture(scope="session")
def embedded() -> Iterator[LocalServer]:
    """A server process on the embedded model, shared by the tests of a session."""
    with local_server() as server:
        yield server
