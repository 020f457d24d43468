"""The clients when a server refuses, goes away and comes back."""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

import kunnafoni_models
from kunnafoni.cli.local_server import local_server
from kunnafoni.client import AsyncClient, Client, JobClient
from kunnafoni.client.channel import RETRY_BUFFER_BYTES
from kunnafoni.config import Settings
from kunnafoni.errors import InvalidInputError, OverloadedError, UnavailableError
from kunnafoni.rpc.interceptors import CallInterceptor
from kunnafoni.v1 import translation_pb2, translation_pb2_grpc
from tests.service.jobs import job_server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from tests.conftest import Served

ResultT = TypeVar("ResultT")
TEXT = "The market opens on Monday."
ECHO = Path(kunnafoni_models.__file__).parent / "catalog" / "echo.toml"


class Refusing(translation_pb2_grpc.TranslationServiceServicer):
    """Refuses so many calls before it answers; streams send as many pieces before they are refused."""

    def __init__(self, refusals: int, *, retry_after_s: float, pieces: int) -> None:
        self.calls = 0
        self._refusals, self._retry_after_s, self._pieces = refusals, retry_after_s, pieces

    async def Translate(  # noqa: N802
        self,
        request: translation_pb2.TranslateRequest,
        context: object,  # noqa: ARG002 - the signature is gRPC's
    ) -> translation_pb2.TranslateResponse:
        self._refuse()
        return translation_pb2.TranslateResponse(translations=[translation_pb2.Translation(text=request.contents[0])])

    async def TranslateStream(  # noqa: N802
        self,
        request: translation_pb2.TranslateStreamRequest,
        context: object,  # noqa: ARG002
    ) -> AsyncIterator[translation_pb2.TranslateStreamResponse]:
        for _ in range(self._pieces):
            yield translation_pb2.TranslateStreamResponse(text="piece")
        self._refuse()
        yield translation_pb2.TranslateStreamResponse(text=request.contents[0])

    def _refuse(self) -> None:
        self.calls += 1
        if self.calls <= self._refusals:
            raise OverloadedError(self._retry_after_s)


@asynccontextmanager
async def refusing(
    refusals: int, *, retry_after_s: float = 0.1, pieces: int = 0
) -> AsyncGenerator[tuple[Refusing, str]]:
    """A server that refuses as the real one does, and its address."""
    servicer = Refusing(refusals, retry_after_s=retry_after_s, pieces=pieces)  # pyright: ignore[reportAbstractUsage]
    server = grpc.aio.server(interceptors=(CallInterceptor(),), options=[("grpc.max_receive_message_length", -1)])
    translation_pb2_grpc.add_TranslationServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("localhost:0")
    await server.start()
    try:
        yield servicer, f"localhost:{port}"
    finally:
        await server.stop(0)


def stream(address: str, *, timeout_s: float = 20.0) -> list[str]:
    with Client(address, timeout_s=timeout_s) as client:
        return [piece.text for piece in client.translate_stream([TEXT], source="en", target="fr")]


def edition_stream(address: str, *, timeout_s: float = 20.0) -> list[str]:
    with Client(address, timeout_s=timeout_s) as client:
        return [each.edition.headline for each in client.summarize_stream(TEXT, source="en", targets=["fr"])]


def begin(work: Callable[[], ResultT]) -> Future[ResultT]:
    """Do `work` in a thread that holds up nobody if it never ends."""
    future: Future[ResultT] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - the test asks for it
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


@pytest.mark.parametrize("read", [stream, edition_stream])
def test_a_stream_whose_server_dies_ends(tmp_path: Path, read: Callable[[str], list[str]]) -> None:
    slow = ECHO.read_text().replace('id = "echo"', 'id = "slow"') + "[options]\nbatch_delay_ms = 2000\n"
    (tmp_path / "slow.toml").write_text(slow)
    with local_server("--models-dir", str(tmp_path), "--model", "slow") as server:
        reading = begin(lambda: read(server.address))
        with pytest.raises(TimeoutError):
            reading.result(1)
        server.process.kill()
        with pytest.raises(UnavailableError):
            reading.result(40)


async def test_one_text_is_no_list_of_its_letters() -> None:
    async with AsyncClient("localhost:1") as client:
        with pytest.raises(InvalidInputError, match="list"):
            await client.translate("Hello.", target="fr")
    with Client("localhost:1") as client:
        with pytest.raises(InvalidInputError, match="list"):
            client.translate("Hello.", target="fr")
        with pytest.raises(InvalidInputError, match="list"):
            next(iter(client.translate_stream("Hello.", target="fr")))
        with pytest.raises(InvalidInputError, match="list"):
            client.detect_language("Hello.")


async def test_a_refused_stream_is_begun_again() -> None:
    async with refusing(3) as (servicer, address):
        assert await asyncio.to_thread(stream, address) == [TEXT]
        assert servicer.calls == 4
    async with refusing(3) as (servicer, address), AsyncClient(address, timeout_s=20) as client:
        assert [piece.text async for piece in client.translate_stream([TEXT], target="fr")] == [TEXT]
        assert servicer.calls == 4


async def test_a_web_proxy_is_none_of_our_business(
    echo: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://localhost:1")
    for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert await asyncio.to_thread(stream, echo.address)
    async with AsyncClient(echo.address, timeout_s=20) as client:
        await client.wait_until_serving(10)
        assert (await client.server_info()).version
    async with job_server.serve(f"sqlite:///{tmp_path}/jobs.db", job_server.CapitalsWork()) as served:
        with JobClient(served.address, timeout_s=20) as jobs:
            assert await asyncio.to_thread(lambda: list(jobs.list())) == []


async def test_without_a_deadline_there_is_none(echo: Served) -> None:
    assert await asyncio.to_thread(lambda: stream(echo.address, timeout_s=math.inf))

    def translate() -> int:
        with Client(echo.address, timeout_s=math.inf) as client:
            client.wait_until_serving(math.inf)
            return len(client.translate([TEXT], source="en", target="fr"))

    assert await asyncio.to_thread(translate) == 1
    async with AsyncClient(echo.address, timeout_s=1e12) as client:
        await client.wait_until_serving(math.inf)
        assert len(await client.translate([TEXT], source="en", target="fr")) == 1


async def test_waiting_outlasts_a_restart() -> None:
    ports: list[int] = []

    async def start(status: int) -> grpc.aio.Server:
        server, servicer = grpc.aio.server(), health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        await servicer.set("", status)
        ports.append(server.add_insecure_port(f"localhost:{ports[0] if ports else 0}"))
        await server.start()
        return server

    loading = await start(health_pb2.HealthCheckResponse.NOT_SERVING)
    with Client(f"localhost:{ports[0]}") as client:
        async with AsyncClient(f"localhost:{ports[0]}") as async_client:
            waits = [
                asyncio.ensure_future(asyncio.to_thread(client.wait_until_serving, 60)),
                asyncio.ensure_future(async_client.wait_until_serving(60)),
            ]
            await asyncio.sleep(1)
            await loading.stop(0)
            await asyncio.sleep(0.5)
            ready = await start(health_pb2.HealthCheckResponse.SERVING)
            await asyncio.gather(*waits)
            await ready.stop(0)
            with pytest.raises(UnavailableError):
                await async_client.wait_until_serving(0.5)
            with pytest.raises(UnavailableError):
                await asyncio.to_thread(client.wait_until_serving, 0.5)


async def test_large_calls_are_sent_again() -> None:
    assert Settings.model_fields["max_message_bytes"].default == RETRY_BUFFER_BYTES
    large = "a" * (RETRY_BUFFER_BYTES - 1000)

    def translate(address: str) -> str:
        with Client(address, timeout_s=60) as client:
            return client.translate([large], target="fr")[0].text

    async with refusing(1) as (servicer, address):
        assert await asyncio.to_thread(translate, address) == large
        assert servicer.calls == 2
    async with refusing(1) as (servicer, address), AsyncClient(address, timeout_s=60) as client:
        assert (await client.translate([large], target="fr"))[0].text == large
        assert servicer.calls == 2


@pytest.mark.parametrize(
    ("server", "calls"),
    [({"refusals": 9}, 4), ({"refusals": 1, "retry_after_s": 30}, 1), ({"refusals": 1, "pieces": 1}, 1)],
    ids=["for ever", "for longer than the deadline", "after a piece"],
)
async def test_a_stream_that_stays_refused_says_why(server: dict[str, Any], calls: int) -> None:
    async with refusing(**server) as (servicer, address):
        with pytest.raises(OverloadedError):
            await asyncio.to_thread(stream, address)
        assert servicer.calls == calls


def test_both_clients_have_the_same_calls() -> None:
    def calls(client: type) -> dict[str, list[tuple[str, Any]]]:
        functions = inspect.getmembers(client, inspect.isfunction)
        return {
            name: [(parameter.name, parameter.default) for parameter in inspect.signature(function).parameters.values()]
            for name, function in functions
            if not name.startswith("_")
        }

    assert calls(Client) == calls(AsyncClient)
