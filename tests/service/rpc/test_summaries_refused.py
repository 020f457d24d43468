"""SummarizationService over a real server: what it refuses, and what is left when a caller goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest

from kunnafoni.v1 import summarization_pb2
from tests.service.rpc.articles import BODIES
from tests.service.rpc.test_bad_input import details_of
from tests.service.rpc.test_summarization import editions, request, stub

if TYPE_CHECKING:
    from tests.conftest import Served

UNKNOWN = summarization_pb2.SummaryLength.ValueType(9)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (request("", "fr"), "article.body"),
        (request(" \n", "fr", headline=" "), "article.body"),
        (request("x" * 200_001, "fr"), "article.body"),
        (request("Some text.", "fr", source="tlh"), "article.language_code"),
        (summarization_pb2.SummarizeRequest(article=summarization_pb2.Article(body="x")), "target_language_codes"),
        (request("Some text.", "fr", "tlh"), "target_language_codes[1]"),
        (request("Some text.", "fr", "fr-ML"), "target_language_codes"),
        (request("Some text.", "fr", length=UNKNOWN), "length"),
        (request("Some text.", "fr", max_words=401), "max_words"),
        (request("Some text.", "fr", max_words=-1), "max_words"),
        (request("Some text.", "fr", key_points=8), "key_points"),
        (request("Some text.", "fr", key_points=-1), "key_points"),
    ],
)
async def test_invalid_requests_name_the_field(
    echo: Served, asked: summarization_pb2.SummarizeRequest, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub(echo).Summarize(asked, timeout=60)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details_of(caught.value)[1] == [field]


async def test_other_languages_are_named_as_not_recognised(echo: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub(echo).Summarize(request("Das ist eine Nachricht aus der Hauptstadt.", source=""), timeout=60)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert details_of(caught.value)[0].metadata["field"] == "article"


async def test_a_deadline_in_the_middle_of_an_edition(slow_echo: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub(slow_echo).Summarize(request(BODIES["en"], "en", "fr", "bm", key_points=7), timeout=0.8)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await nothing_is_left(slow_echo)


async def test_cancel_in_the_middle_of_an_edition(slow_echo: Served) -> None:
    asked = request(BODIES["en"], "en", "fr", "bm", key_points=7)
    stream = summarization_pb2.SummarizeStreamRequest.FromString(asked.SerializeToString())
    call = stub(slow_echo).SummarizeStream(stream, timeout=60)
    first = await call.read()
    assert isinstance(first, summarization_pb2.SummarizeStreamResponse)
    assert first.edition.language_code == "en"
    call.cancel()
    await nothing_is_left(slow_echo)


async def nothing_is_left(served: Served) -> None:
    for _ in range(100):
        if not served.queued():
            break
        await asyncio.sleep(0.05)
    assert not served.queued()
    assert await editions(served, request("Rain fell in Gao.", "en"))
