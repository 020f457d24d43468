"""The page of metrics of a real server, as Prometheus reads it."""

from __future__ import annotations

import asyncio
import socket
import urllib.request
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from kunnafoni.app.listeners import ListenError
from kunnafoni.v1 import translation_pb2, translation_pb2_grpc
from tests.conftest import Served, echo_entry, serve, until_async

if TYPE_CHECKING:
    from collections.abc import Callable

CODES = ("DEADLINE_EXCEEDED", "CANCELLED", "OK")
Page = dict[tuple[str, ...], float]


def free_address() -> str:
    with closing(socket.socket()) as taken:
        taken.bind(("localhost", 0))
        return f"localhost:{taken.getsockname()[1]}"


async def read(address: str) -> Page:
    """The values of the page by name and labels."""

    def page() -> str:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            return answer.read().decode()

    text = await asyncio.to_thread(page)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


async def read_until(address: str, condition: Callable[[Page], bool]) -> Page:
    """Read the page again and again until what it says is so."""
    async with asyncio.timeout(60):
        while True:
            if condition(found := await read(address)):
                return found
            await asyncio.sleep(0.05)


def counted(page: Page, method: str) -> tuple[float, ...]:
    """How many calls ended with each of `CODES`."""
    return tuple(page.get(("kunnafoni_call_seconds_count", code, method), 0) for code in CODES)


def request(text: str, target: str = "fr") -> translation_pb2.TranslateRequest:
    return translation_pb2.TranslateRequest(contents=[text], source_language_code="en", target_language_code=target)


async def refused(served: Served, wrong: translation_pb2.TranslateRequest) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await served.translation.Translate(wrong)


async def test_calls_batches_and_cache_hits_are_counted() -> None:
    address = free_address()
    async with serve(echo_entry(), metrics_address=address) as served:
        await served.translation.Translate(request("The market opens today."))
        await served.translation.Translate(request("The market opens today."))
        await refused(served, request("The market opens today.", target="xx"))
        found = await read(address)
    assert found["kunnafoni_call_seconds_count", "OK", "Translate"] == 2
    assert found["kunnafoni_call_seconds_count", "INVALID_ARGUMENT", "Translate"] == 1
    assert found["kunnafoni_model_ready", "echo"] == 1
    assert found["kunnafoni_sequences_total", "echo"] == 1
    assert found["kunnafoni_batches_total", "echo"] == 1
    assert found["kunnafoni_cache_hits_total", "echo"] == 1
    assert found["kunnafoni_cache_entries", "echo"] == 1
    assert found["kunnafoni_queued_sequences", "echo"] == 0
    assert found[("kunnafoni_job_store_ready",)] == 0  # nobody has opened one here
    assert found[("process_resident_memory_bytes",)] > 0


async def test_the_page_shows_what_waits_and_who_was_refused() -> None:
    address = free_address()
    settings = {
        "max_batch_sequences": 1,
        "max_batch_tokens": 1024,
        "max_queue_tokens": 1024,
        "metrics_address": address,
    }
    async with serve(echo_entry(), **settings) as served:
        with served.held():
            texts = [f"The market number {number} opens today." for number in range(60)]
            calls = [asyncio.ensure_future(served.translation.Translate(request(text))) for text in texts]
            found = await read_until(address, lambda found: found["kunnafoni_refused_requests_total", "echo"] > 0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert found["kunnafoni_running_sequences", "echo"] == 1
    assert found["kunnafoni_queued_sequences", "echo"] > 0


async def test_a_call_past_its_deadline_is_counted_as_such() -> None:
    address = free_address()
    async with serve(echo_entry(), metrics_address=address) as served:
        await served.translation.Translate(request("Good morning."))  # connects
        with served.held():
            with pytest.raises(grpc.aio.AioRpcError):
                await served.translation.Translate(request("The market opens today."), timeout=2)
            gone = asyncio.ensure_future(served.translation.Translate(request("The school opens."), timeout=60))
            await until_async(lambda: served.queued() > 0)
            gone.cancel()
            await read_until(address, lambda found: counted(found, "Translate") == (1, 1, 1))


async def test_a_stream_that_waits_for_its_reader_is_counted_as_it_ends() -> None:
    address = free_address()
    async with serve(echo_entry(), metrics_address=address) as served:
        long = translation_pb2.TranslateStreamRequest(
            contents=[f"{number} {'word ' * 40}." for number in range(1000)],
            source_language_code="en",
            target_language_code="fr",
        )
        options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65536)]
        async with grpc.aio.insecure_channel(served.address, options=options) as channel:
            stub: Any = translation_pb2_grpc.TranslationServiceStub(channel)
            for timeout_s in (5, 60):
                call = stub.TranslateStream(long, timeout=timeout_s)
                with suppress(grpc.aio.AioRpcError):  # a slow machine is late with the first piece
                    await call.read()
                await asyncio.sleep(6 if timeout_s == 5 else 1)
                call.cancel()
            await read_until(address, lambda found: counted(found, "TranslateStream") == (1, 1, 0))


async def test_it_holds_no_text_and_is_gone_with_the_server() -> None:
    address, word = free_address(), "zanzibar"
    async with serve(echo_entry(), metrics_address=address) as served:
        await served.translation.Translate(request(f"The {word} opens today."))
        assert not [key for key in await read(address) if word in " ".join(key)]
    with pytest.raises(OSError, match="refused"):
        await read(address)


async def test_an_address_that_is_taken_is_named() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        address = f"localhost:{taken.getsockname()[1]}"
        with pytest.raises(ListenError, match=address):
            async with serve(echo_entry(), metrics_address=address):
                pass
