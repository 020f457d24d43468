"""SummarizationService over a real server on the echo backend: what does not depend on what a model writes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise, permutations
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from kunnafoni.client import AsyncClient, Client
from kunnafoni.errors import InvalidInputError
from kunnafoni.v1 import result_pb2, summarization_pb2, summarization_pb2_grpc
from kunnafoni_models.catalog.entry import Direction
from tests.conftest import echo_entry, serve
from tests.service.rpc.articles import BODIES, HEADLINES, check_key_points, check_warnings

if TYPE_CHECKING:
    from tests.conftest import Served

ORDERS = [order for size in (1, 2, 3) for order in permutations(("en", "fr", "bm"), size)]
TOO_SHORT = summarization_pb2.SUMMARY_METHOD_TOO_SHORT
UNSPECIFIED = summarization_pb2.SUMMARY_LENGTH_UNSPECIFIED
SHORT = summarization_pb2.SUMMARY_LENGTH_SHORT
MEDIUM = summarization_pb2.SUMMARY_LENGTH_MEDIUM
LONG = summarization_pb2.SUMMARY_LENGTH_LONG
EXTRACTIVE = summarization_pb2.SUMMARY_METHOD_EXTRACTIVE


def stub(served: Served) -> summarization_pb2_grpc.SummarizationServiceAsyncStub:
    return summarization_pb2_grpc.SummarizationServiceStub(served.channel)


def request(
    body: str,
    *targets: str,
    headline: str = "",
    source: str = "en",
    length: summarization_pb2.SummaryLength.ValueType = UNSPECIFIED,
    max_words: int = 0,
    key_points: int | None = None,
) -> summarization_pb2.SummarizeRequest:
    return summarization_pb2.SummarizeRequest(
        article=summarization_pb2.Article(headline=headline, body=body, language_code=source),
        target_language_codes=targets or ["en"],
        length=length,
        max_words=max_words,
        key_points=key_points,
    )


async def editions(served: Served, asked: summarization_pb2.SummarizeRequest) -> list[summarization_pb2.Edition]:
    """The editions, after what holds for all of them."""
    answer = await stub(served).Summarize(asked, timeout=100)
    assert [edition.language_code for edition in answer.editions] == list(asked.target_language_codes)
    for edition in answer.editions:
        check_key_points(edition, asked.article.body)
        check_warnings(edition)
        assert edition.headline.strip()
        assert edition.summary.strip()
        assert 0 <= edition.coverage <= 1
        partly = result_pb2.WARNING_TYPE_PARTIAL_COVERAGE in {warning.type for warning in edition.warnings}
        assert partly == (edition.coverage < 1)
    return list(answer.editions)


def kinds(edition: summarization_pb2.Edition) -> set[str]:
    return {result_pb2.WarningType.Name(warning.type).removeprefix("WARNING_TYPE_") for warning in edition.warnings}


@pytest.mark.parametrize("source", BODIES)
@pytest.mark.parametrize("targets", ORDERS, ids=",".join)
async def test_every_combination_of_targets(echo: Served, source: str, targets: tuple[str, ...]) -> None:
    asked = request(BODIES[source], *targets, headline=HEADLINES[source], source=source)
    for edition in await editions(echo, asked):
        assert len(edition.key_points) == 3
        if edition.language_code == source:
            assert edition.headline == HEADLINES[source]
            assert all(point.text == point.source_text for point in edition.key_points)
        else:
            assert edition.headline.startswith(f"[{source}>{edition.language_code}]")
            assert edition.headline.endswith(HEADLINES[source].upper())
            assert edition.route[-1].target_language_code == edition.language_code
            assert edition.provenance.machine_generated
        steps = [(hop.source_language_code, hop.target_language_code) for hop in edition.route]
        assert all(left[1] == right[0] for left, right in pairwise(steps))


async def test_the_language_is_detected(echo: Served) -> None:
    for source, body in BODIES.items():
        answer = await stub(echo).Summarize(request(body, "en", source=""), timeout=100)
        assert answer.source_language_code == source
        assert 0.5 < answer.detection_confidence <= 1
    answer = await stub(echo).Summarize(request(BODIES["fr"], "en", source="fr"), timeout=100)
    assert not answer.HasField("detection_confidence")


async def test_a_stream_sends_the_same_editions_in_order(echo: Served) -> None:
    asked = request(BODIES["fr"], "bm", "fr", "en", source="")
    whole = await editions(echo, asked)
    stream = summarization_pb2.SummarizeStreamRequest.FromString(asked.SerializeToString())
    answers = [answer async for answer in stub(echo).SummarizeStream(stream, timeout=100)]
    assert {answer.source_language_code for answer in answers} == {"fr"}
    for sent, edition in zip([answer.edition for answer in answers], whole, strict=True):
        for field in ("provenance", "usage"):
            sent.ClearField(field)
            edition.ClearField(field)
        assert sent == edition


async def test_the_async_client_makes_the_editions_of_the_client(echo: Served) -> None:
    asked: dict[str, Any] = {"targets": ("fr", "bm"), "headline": HEADLINES["en"], "max_words": 40, "key_points": 1}
    with Client(echo.address) as client:
        expected = await asyncio.to_thread(client.summarize, BODIES["en"], **asked)
    async with AsyncClient(echo.address) as client:
        answer = await client.summarize(BODIES["en"], **asked)
        pieces = [piece async for piece in client.summarize_stream(BODIES["en"], **asked)]
        with pytest.raises(InvalidInputError) as caught:
            await client.summarize(BODIES["en"], targets=())
        with pytest.raises(ValueError, match="HUGE"):
            await client.summarize(BODIES["en"], targets=("en",), length="huge")
    assert [violation.field for violation in caught.value.violations] == ["target_language_codes"]
    for editions_ in (answer.editions, [piece.edition for piece in pieces]):
        assert [(e.language_code, e.headline, e.summary) for e in editions_] == [
            (e.language_code, e.headline, e.summary) for e in expected.editions
        ]
    assert len(answer.editions) == 2


async def test_the_summary_is_counted_once(echo: Served) -> None:
    asked = request(BODIES["en"], "en", "fr", "bm", headline=HEADLINES["en"])
    own, french, _ = await editions(echo, asked)
    assert own.usage.output_tokens > 0
    assert french.usage.output_tokens > 0
    [only] = await editions(echo, request(BODIES["en"], "fr", headline=HEADLINES["en"]))
    assert only.usage.output_tokens == own.usage.output_tokens + french.usage.output_tokens


@pytest.mark.parametrize(
    ("headline", "body", "summary"),
    [
        ("", "The market in Kati burned down on Sunday night.", "The market in Kati burned down on Sunday night."),
        ("", "Rain fell.\n\nRoads closed.", "Rain fell.\n\nRoads closed."),
        ("", "The market is closed today. " * 60, "The market is closed today."),
        ("Only a headline", "", "Only a headline"),
        ("Only a headline", " \n", "Only a headline"),
        ("", "12 345", "12 345"),
    ],
    ids=["one sentence", "few words", "one sentence again and again", "headline only", "blank body", "no letters"],
)
async def test_too_short_to_be_summarised(echo: Served, headline: str, body: str, summary: str) -> None:
    own, french = await editions(echo, request(body, "en", "fr", headline=headline, length=SHORT))
    assert own.summary == summary
    assert not own.route
    assert not own.provenance.machine_generated
    for edition in (own, french):
        assert edition.summary_method == TOO_SHORT
        assert "TOO_SHORT" in kinds(edition)
        assert edition.coverage == 1


async def test_no_letters_need_no_language(echo: Served) -> None:
    answer = await stub(echo).Summarize(request("12 345", "fr", source=""), timeout=100)
    assert answer.source_language_code == "und"
    assert answer.editions[0].summary == "12 345"


async def test_an_article_of_20_000_words(echo: Served) -> None:
    towns = ("Kayes", "Ségou", "Mopti", "Gao", "Kidal", "Nioro", "Kita", "Djenné")
    body = "\n\n".join(
        f"In {towns[number % 8]} the price of bag of rice {number} rose by {number * 37 % 97} francs in a week."
        f" Traders in {towns[number * 5 % 8]} say that {number * 53 % 89} lorries are waiting at the border."
        for number in range(720)
    )
    assert 19_000 < len(body.split()) < 21_000
    [edition] = await editions(echo, request(body, "fr", key_points=7, length=LONG))
    assert len(edition.key_points) == 7
    assert len(edition.summary.split()) < 400


async def test_key_points_asked_for(echo: Served) -> None:
    asked = request("The bridge is open. It took two years to build it, the mayor of Kita said on Friday.", "en")
    for wanted, most in ((0, 0), (1, 1), (7, 2)):
        asked.key_points = wanted
        [edition] = await editions(echo, asked)
        assert len(edition.key_points) <= most
        assert (wanted == 0) == (not edition.key_points)


async def test_five_words(echo: Served) -> None:
    own, french = await editions(echo, request(BODIES["en"], "en", "fr", max_words=5))
    assert len(own.summary.split()) <= 5
    assert own.summary_method == french.summary_method == EXTRACTIVE
    assert "EXTRACTIVE" in kinds(own)
    cut = own.summary.endswith("…")
    assert cut == ("OUTPUT_CAP" in kinds(own))
    assert own.summary.removesuffix("…") in BODIES["en"]


@pytest.mark.parametrize(("length", "words"), [(SHORT, 45), (MEDIUM, 84), (UNSPECIFIED, 84)])
async def test_lengths(echo: Served, length: summarization_pb2.SummaryLength.ValueType, words: int) -> None:
    [edition] = await editions(echo, request(BODIES["en"], "en", length=length))
    assert len(edition.summary.split()) <= words


async def test_an_article_of_quotations(echo: Served) -> None:
    body = "\n".join(
        f"« {speech} », dit {name}."
        for speech, name in (
            ("Nous avons tout perdu dans l'incendie de samedi", "Oumar Keïta"),
            ("L'aide arrivera demain matin avec trois camions", "la préfète de Kita"),
            ("Les enfants dorment dans l'école depuis deux nuits", "Fanta Coulibaly"),
        )
    )
    for edition in await editions(echo, request(body, "fr", "bm", source="fr", length=SHORT, key_points=2)):
        assert len(edition.key_points) == 2


async def test_an_article_in_two_languages(echo: Served) -> None:
    body = f"{BODIES['fr']}\n\n{BODIES['en']}"
    for source in ("fr", "en"):
        assert await editions(echo, request(body, "en", "fr", "bm", source=source))
    try:
        answer = await stub(echo).Summarize(request(body, "bm", source=""), timeout=100)
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION  # noqa: PT017 - either is right
    else:
        assert answer.source_language_code in {"fr", "en"}


async def test_sentences_in_another_language_than_their_edition_are_marked(echo: Served) -> None:
    body = f"{BODIES['fr']}\n\n{BODIES['en']}"
    [edition] = await editions(echo, request(body, "en", source="en", key_points=7))
    french = [point.source_text in BODIES["fr"] for point in edition.key_points]
    warned = [bool(point.warnings) for point in edition.key_points]
    assert True in french
    assert False in french
    assert warned == french
    asked = request(" ".join(body.split("\n\n")[:2]), "en", source="en", headline=HEADLINES["fr"], max_words=10)
    [edition] = await editions(echo, asked)
    assert "UNTRANSLATED" in kinds(edition)
    parts = {warning.part for warning in edition.warnings if warning.type == result_pb2.WARNING_TYPE_UNTRANSLATED}
    assert parts == {summarization_pb2.EDITION_PART_HEADLINE, summarization_pb2.EDITION_PART_SUMMARY}


async def test_without_a_model_that_summarises_the_articles_sentences_do() -> None:
    entry = replace(echo_entry(), summary_languages=(), directions=(Direction("en", "fr"),))
    async with serve(entry) as served:
        own, french = await editions(served, request(BODIES["en"], "en", "fr"))
        assert own.summary_method == EXTRACTIVE
        assert [hop.target_language_code for hop in french.route] == ["fr"]
        assert not own.route
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub(served).Summarize(request(BODIES["en"], "en", "bm"), timeout=100)
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
