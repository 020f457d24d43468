"""Everything a caller can do wrong, done to a real server: a clear error or a right result, and the next call works."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs]
from google.rpc.status_pb2 import Status

from kunnafoni.client import AsyncClient
from kunnafoni.errors import InvalidInputError, KunnafoniError, OverloadedError
from kunnafoni.status import DETAILS_KEY
from kunnafoni.v1 import result_pb2, translation_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Served

TRANSLATE = "/kunnafoni.v1.TranslationService/Translate"


def request(*contents: str, source: str = "en", target: str = "fr", beam: int = 0) -> translation_pb2.TranslateRequest:
    return translation_pb2.TranslateRequest(
        contents=contents,
        source_language_code=source,
        target_language_code=target,
        decoding=translation_pb2.Decoding(beam_size=beam),
    )


def details_of(error: grpc.aio.AioRpcError) -> tuple[error_details_pb2.ErrorInfo, list[str]]:
    """The ErrorInfo of an error, of which there must be exactly one, and the fields that it names."""
    raw = dict(error.trailing_metadata() or ())[DETAILS_KEY]
    assert isinstance(raw, bytes)
    infos: list[error_details_pb2.ErrorInfo] = []
    fields: list[str] = []
    for packed in Status.FromString(raw).details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if packed.Unpack(info):
            infos.append(info)
        elif packed.Unpack(bad):
            fields += [violation.field for violation in bad.field_violations]
    assert len(infos) == 1
    assert infos[0].domain == "kunnafoni"
    return infos[0], fields


async def still_answers(served: Served) -> None:
    answer = await served.translation.Translate(request("Good morning."), timeout=60)
    assert answer.translations[0].segments[0].finish_reason == result_pb2.FINISH_REASON_STOP


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (request(), "contents"),
        (request("a" * 1_000_000), "contents"),
        (request(*["a"] * 10_000), "contents"),
        (request("hello", target=""), "target_language_code"),
        (request("hello", target="tlh"), "target_language_code"),
        (request("hello", target="sw"), "target_language_code"),
        (request("hello", source="x!"), "source_language_code"),
        (request("hello", target="bm-Nkoo"), "target_language_code"),
        (request("hello", source="\x00"), "source_language_code"),
        (request("hello", source="fr", target="fr-ML"), "source_language_code"),
        (request("hello", beam=-1), "decoding.beam_size"),
        (request("hello", beam=1000), "decoding.beam_size"),
    ],
    ids=[
        "no contents",
        "1 MB",
        "10,000",
        "no target",
        "unknown target",
        "language not served",
        "malformed source",
        "script not served",
        "odd source",
        "same",
        "beam<0",
        "beam",
    ],
)
async def test_invalid_requests_name_the_field(echo: Served, bad: translation_pb2.TranslateRequest, field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await echo.translation.Translate(bad, timeout=60)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    info, fields = details_of(caught.value)
    assert info.reason == "INVALID_INPUT"
    assert field in fields
    async with AsyncClient(echo.address, language="fr") as client:
        with pytest.raises(InvalidInputError) as in_french:
            await client.translate(
                bad.contents,
                source=bad.source_language_code,
                target=bad.target_language_code,
                beam_size=bad.decoding.beam_size,
            )
    [violation] = in_french.value.violations
    assert violation.french
    assert violation.french != violation.description
    assert in_french.value.french == f"La requête n'est pas valide : {violation.field} : {violation.french}"
    await still_answers(echo)


async def test_calls_over_the_total_are_refused(echo: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await echo.translation.Translate(request(*["a" * 190_000] * 3), timeout=60)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    await still_answers(echo)


async def test_messages_over_the_limit_are_refused(echo: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await echo.translation.Translate(request("a" * 9_000_000), timeout=60)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    async with AsyncClient(echo.address) as client:
        with pytest.raises(KunnafoniError, match="larger than max") as too_large:
            await client.translate(["a" * 9_000_000], source="en", target="fr")
    assert not isinstance(too_large.value, OverloadedError)
    await still_answers(echo)


async def test_a_french_client_reads_french(echo: Served) -> None:
    async with AsyncClient(echo.address, language="fr") as client:
        with pytest.raises(KunnafoniError) as caught:
            await client.translate([], target="fr")
    assert caught.value.french == "La requête n'est pas valide : contents : est vide ; envoyez un texte"
    assert caught.value.english == "The request is not valid: contents: is empty; send at least one text"
    [violation] = caught.value.violations
    assert violation.text("fr") == "est vide ; envoyez un texte"


@pytest.mark.parametrize(
    "content",
    [
        "a\x00b\x07c",
        "\u0301\u0300\u0301",
        "שלום עולם, هذا خبر.",
        "ߒߞߏ ߞߊ߲",
        "🎉🎊🎈",
        "   \n\t\n ",
        "\u2028\u2029\r\n",
        "…!?",
        "https://example.org/a?b=c",
        "x" * 10_000,
    ],
    ids=[
        "controls",
        "marks",
        "right to left",
        "N'Ko",
        "emoji",
        "white",
        "separators",
        "marks alone",
        "url",
        "long word",
    ],
)
async def test_odd_contents_lose_nothing(echo: Served, content: str) -> None:
    answer = await echo.translation.Translate(request(content), timeout=60)
    [translation] = answer.translations
    position = 0
    for segment in translation.segments:
        # What no model touched comes back as it was, in its place.
        before = content[position : segment.source_span.start]
        assert translation.text.find(before) >= 0
        if segment.finish_reason == result_pb2.FINISH_REASON_COPIED:
            copied = content[segment.source_span.start : segment.source_span.end]
            assert translation.text[segment.target_span.start : segment.target_span.end] == copied
        position = segment.source_span.end
    if not any(segment.finish_reason == result_pb2.FINISH_REASON_STOP for segment in translation.segments):
        assert translation.text == content
        assert not translation.provenance.machine_generated
    await still_answers(echo)


async def test_bytes_that_are_no_utf8_are_invalid(echo: Served) -> None:
    def raw(data: bytes) -> bytes:
        return data

    send: Callable[..., grpc.aio.UnaryUnaryCall[bytes, bytes]] = echo.channel.unary_unary(TRANSLATE, raw, raw)
    for data in (b"\x0a\x02\xff\xfe\x1a\x02fr", b"\xff\xff\xff\xff"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await send(data, timeout=60)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    await still_answers(echo)


async def test_a_deadline_of_one_millisecond(echo: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await echo.translation.Translate(request("Good morning. " * 500), timeout=0.001)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await still_answers(echo)


async def test_cancel_in_flight_leaves_nothing_behind(slow_echo: Served) -> None:
    call = slow_echo.translation.Translate(request("Good morning to you all. " * 300), timeout=60)
    await asyncio.sleep(0.2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await still_answers(slow_echo)
    assert slow_echo.queued() == 0


async def test_two_clients_at_once_get_their_own_answers(echo: Served) -> None:
    texts = [f"Sentence number {n} of this test." for n in range(40)]
    answers = await asyncio.gather(*(echo.translation.Translate(request(text), timeout=60) for text in texts))
    alone = [await echo.translation.Translate(request(text), timeout=60) for text in texts]
    assert [a.translations[0].text for a in answers] == [a.translations[0].text for a in alone]


async def test_errors_speak_french_when_asked(echo: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await echo.translation.Translate(request(), timeout=60, metadata=(("accept-language", "fr-ML"),))
    raw = dict(caught.value.trailing_metadata() or ())[DETAILS_KEY]
    assert isinstance(raw, bytes)
    message, bad = error_details_pb2.LocalizedMessage(), error_details_pb2.BadRequest()
    assert any(packed.Unpack(message) for packed in Status.FromString(raw).details)
    assert message.locale == "fr"
    assert message.message.startswith("La requête")
    assert any(packed.Unpack(bad) for packed in Status.FromString(raw).details)
    [violation] = bad.field_violations
    assert (violation.description, violation.localized_message.locale) == ("is empty; send at least one text", "fr")
    assert violation.localized_message.message == "est vide ; envoyez un texte"
