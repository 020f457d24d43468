"""A server that has more to do than it can take, and calls that it can never take."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs]
from google.rpc.status_pb2 import Status

from kunnafoni.status import DETAILS_KEY
from kunnafoni.translation import direct
from kunnafoni.v1 import translation_pb2
from kunnafoni_models.catalog.entry import Direction
from tests.conftest import echo_entry, serve, until_async

if TYPE_CHECKING:
    from kunnafoni_models.backend import Prompt
    from tests.conftest import Served

LINE = "The children of the village go to school in the morning."
EIGHT_LINES = " ".join([LINE] * 8)


def request(*contents: str, source: str = "en", target: str = "fr", beam: int = 0) -> translation_pb2.TranslateRequest:
    return translation_pb2.TranslateRequest(
        contents=contents,
        source_language_code=source,
        target_language_code=target,
        decoding=translation_pb2.Decoding(beam_size=beam),
    )


async def fill(served: Served, model_id: str, *, target: str = "fr") -> list[grpc.aio.UnaryUnaryCall[Any, Any]]:
    """Calls of different texts, as many as the model's queue takes; the last one was refused."""

    def came_in() -> int:
        stats = served.model_pool.engine(model_id).stats().batcher
        return stats.queued_sequences + stats.sequences

    calls: list[grpc.aio.UnaryUnaryCall[Any, Any]] = []
    for number in range(100):
        text = " ".join(f"{LINE[:-1]}, {number} {each}." for each in range(20))
        before = came_in()
        calls.append(served.translation.Translate(request(text, target=target)))
        while came_in() == before:
            if calls[-1].done():
                return calls
            await asyncio.sleep(0.01)
    raise AssertionError(f"the queue of {model_id} has no end")


def count_prompts(served: Served, model_id: str) -> list[str]:
    """The texts of which the model makes a prompt from now on."""
    backend: Any = served.model_pool.engine(model_id).backend
    make, texts = backend.translation_prompt, list[str]()

    def counted(text: str, *, source: str, target: str) -> Prompt:
        texts.append(text)
        return make(text, source=source, target=target)

    backend.translation_prompt = counted
    return texts


async def test_a_line_does_not_wait_for_archives_that_are_being_read() -> None:
    async with serve(echo_entry(), max_queue_tokens=8192) as served:
        backend: Any = served.model_pool.engine("echo").backend
        make, arrived, go_on = backend.translation_prompt, threading.Event(), threading.Event()

        def held(text: str, *, source: str, target: str) -> Prompt:
            if "archive" in text:
                arrived.set()
                assert go_on.wait(100)
            return make(text, source=source, target=target)

        backend.translation_prompt = held
        archive = "This line is of an archive. " * 2000
        first = served.translation.Translate(request(archive))
        await until_async(arrived.is_set)
        others = [served.translation.Translate(request(archive)) for _ in range(20)]
        codes = [await asyncio.wait_for(other.code(), 100) for other in others]
        assert set(codes) == {grpc.StatusCode.RESOURCE_EXHAUSTED}, "refused before the first is read"
        await asyncio.wait_for(served.translation.Translate(request(LINE)), 100)
        assert not first.done()
        go_on.set()
        assert await first.code() is grpc.StatusCode.OK


async def test_a_full_queue_refuses_before_it_reads_and_serves_again_afterwards() -> None:
    async with serve(echo_entry(), max_queue_tokens=1024, max_batch_tokens=1024) as served:
        with served.held():
            *accepted, refused = await fill(served, "echo")
            assert await refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            raw = dict(await refused.trailing_metadata())[DETAILS_KEY]
            assert isinstance(raw, bytes)
            status = Status.FromString(raw)
            retry = error_details_pb2.RetryInfo()
            assert any(packed.Unpack(retry) for packed in status.details)
            assert retry.retry_delay.ToTimedelta().total_seconds() > 0
            texts = count_prompts(served, "echo")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await served.translation.Translate(request(EIGHT_LINES * 200))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert not texts
        for answer in await asyncio.gather(*accepted):
            assert len(answer.translations[0].segments) == 20
        await served.translation.Translate(request(EIGHT_LINES))
        assert texts


async def test_a_call_for_two_models_needs_room_at_both() -> None:
    free = replace(echo_entry(), id="free", directions=(Direction("fr", "bm"),))
    full = replace(echo_entry(), id="full", directions=(Direction("en", "bm"),))
    async with serve(free, full, max_queue_tokens=1024, max_batch_tokens=1024) as served:
        french = "Les enfants du village vont à l'école le matin avec leurs parents."
        with served.held("full"):
            *accepted, _ = await fill(served, "full", target="bm")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await served.translation.Translate(request(french, EIGHT_LINES * 10, source="", target="bm"))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert served.model_pool.engine("free").stats().batcher.batches == 0
        await served.translation.Translate(request(french, source="", target="bm"))
        await asyncio.gather(*accepted)


async def test_a_segment_too_heavy_for_any_batch_is_refused_before_any_runs() -> None:
    async with serve(echo_entry(), max_batch_tokens=64, max_queue_tokens=1024) as served:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.translation.Translate(request("Good morning.", LINE, beam=4))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert served.model_pool.engine("echo").stats().batcher.batches == 0
        await served.translation.Translate(request(LINE))


async def test_thousands_of_sentences_leave_the_event_loop_to_others() -> None:
    async with serve(echo_entry(), max_batch_sequences=1000, max_queue_tokens=1_000_000) as served:
        checked, turns, most = 0, 0, 0
        check = direct.check

        def counted(source: str, target: str, **languages: str) -> Any:
            nonlocal checked
            checked += 1
            return check(source, target, **languages)

        async def watch() -> None:
            nonlocal turns, most
            while True:
                before = checked
                await asyncio.sleep(0)
                turns, most = turns + 1, max(most, checked - before)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(direct, "check", counted)
            watching = asyncio.create_task(watch())
            lines = "\n".join(f"The children of house {number} go to school." for number in range(1000))
            await served.translation.Translate(request(lines))
            watching.cancel()
        assert checked == 1000
        assert turns >= checked
        assert most == 1
