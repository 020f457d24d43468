"""Pairs that go by way of a third language: because no model serves them, or because they come out better so."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import grpc
import pytest

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.engine.request_context import RequestContext
from kunnafoni.text.spans import Span
from kunnafoni.translation.pivot import PivotTranslator
from kunnafoni.translation.routes import Hop
from kunnafoni.translation.sentences import FinishReason, SentenceTranslation, TokenizedSentence
from kunnafoni.v1 import model_pb2, result_pb2, translation_pb2
from kunnafoni_models.backend import Decoding
from kunnafoni_models.catalog.entry import Direction, Quality
from tests.conftest import echo_entry, serve, until_async

if TYPE_CHECKING:
    from kunnafoni_models.catalog.entry import CatalogEntry
    from tests.conftest import Served

FRENCH = "Les enfants vont à l'école le matin."
BY_WAY_OF_ENGLISH = (Direction("fr", "bm", pivot="en"), Direction("fr", "en"), Direction("en", "bm"))


def request(text: str = FRENCH, *, source: str = "fr", target: str = "bm") -> translation_pb2.TranslateRequest:
    return translation_pb2.TranslateRequest(contents=[text], source_language_code=source, target_language_code=target)


def pivoting(*directions: Direction, model_id: str = "echo", **options: int) -> CatalogEntry:
    return replace(echo_entry(**options), id=model_id, directions=directions)


async def hops(served: Served) -> list[tuple[str, str, str]]:
    [translation] = (await served.translation.Translate(request())).translations
    return [(hop.model_id, hop.source_language_code, hop.target_language_code) for hop in translation.route]


async def in_use(served: Served) -> set[str]:
    listed = (await served.model.ListModels(model_pb2.ListModelsRequest())).models
    return {
        f"{model.id} {each.source_language_code}>{each.target_language_code}"
        for model in listed
        for each in model.directions
        if each.in_use
    }


async def test_a_pair_without_a_direct_model_goes_through_a_third_language() -> None:
    first = replace(echo_entry(), id="first", directions=(Direction("bm", "fr"),))
    second = replace(echo_entry(), id="second", directions=(Direction("fr", "en"),))
    async with serve(first, second) as served:
        answer = await served.translation.Translate(request("Denmisɛnw bɛ taa lakɔli la.", source="bm", target="en"))
        [pivoted] = answer.translations
        assert [(h.model_id, h.source_language_code, h.target_language_code) for h in pivoted.route] == [
            ("first", "bm", "fr"),
            ("second", "fr", "en"),
        ]
        assert result_pb2.WARNING_TYPE_PIVOTED in {warning.type for warning in pivoted.segments[0].warnings}
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.translation.Translate(request("Hello there.", source="en"))
        assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "bm>fr, fr>en" in (caught.value.details() or "")


async def test_a_direction_that_is_better_by_way_of_a_third_language_goes_there() -> None:
    async with serve(pivoting(*BY_WAY_OF_ENGLISH)) as served:
        assert await hops(served) == [("echo", "fr", "en"), ("echo", "en", "bm")]
        [translation] = (await served.translation.Translate(request())).translations
        kinds = {warning.type for segment in translation.segments for warning in segment.warnings}
        assert result_pb2.WARNING_TYPE_PIVOTED not in kinds, "a direct model could be had"
        assert await in_use(served) == {"echo fr>bm", "echo fr>en", "echo en>bm"}


async def test_it_stays_direct_where_pivots_are_off_or_half_a_pivot_is_served() -> None:
    async with serve(pivoting(*BY_WAY_OF_ENGLISH), pivots=False) as served:
        assert await hops(served) == [("echo", "fr", "bm")]
    async with serve(pivoting(*BY_WAY_OF_ENGLISH[:2])) as served:
        assert await hops(served) == [("echo", "fr", "bm")]


async def test_a_chosen_model_keeps_its_pivot() -> None:
    other = pivoting(Direction("fr", "bm"), model_id="other")
    async with serve(pivoting(*BY_WAY_OF_ENGLISH), other, routes={"fr>bm": "echo"}) as served:
        assert await hops(served) == [("echo", "fr", "en"), ("echo", "en", "bm")]
    async with serve(pivoting(*BY_WAY_OF_ENGLISH), other, routes={"fr>bm": "other"}) as served:
        assert await hops(served) == [("other", "fr", "bm")]


async def test_halves_go_to_the_best_model_and_a_way_through_two_is_neithers() -> None:
    figure = Quality("en", "bm", "chrF++", 60.0, "a test", "greedy", date=dt.date(2026, 11, 26))
    better = replace(pivoting(Direction("en", "bm"), model_id="better"), quality=(figure,))
    async with serve(pivoting(*BY_WAY_OF_ENGLISH), better) as served:
        assert await hops(served) == [("echo", "fr", "en"), ("better", "en", "bm")]
        assert await in_use(served) == {"echo fr>en", "better en>bm"}


async def test_both_hops_are_let_in_or_neither() -> None:
    first = pivoting(Direction("fr", "en"))
    second = pivoting(Direction("en", "bm"), model_id="second")
    async with serve(first, second, max_queue_tokens=1024, max_batch_tokens=1024) as served:
        texts = [" ".join(f"Market {number} opens at {each}." for each in range(20)) for number in range(4)]
        with served.held("second"):
            busy = [asyncio.ensure_future(served.translation.Translate(request(text, source="en"))) for text in texts]
            await until_async(lambda: served.queued("second") >= 25)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await served.translation.Translate(request(f"{FRENCH} " * 20))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert served.model_pool.engine("echo").stats().batcher.batches == 0
        await asyncio.gather(*busy, return_exceptions=True)


async def test_a_model_that_is_unloaded_lets_calls_make_their_second_hop() -> None:
    async with serve(pivoting(*BY_WAY_OF_ENGLISH, batch_delay_ms=300)) as served:
        call = asyncio.ensure_future(served.translation.Translate(request()))
        engine = served.model_pool.engine("echo")
        await until_async(lambda: engine.stats().batcher.running_sequences > 0)
        await served.engines.unload("echo", grace_s=30)
        assert len((await call).translations[0].route) == 2
        assert engine.stats().batcher.batches == 2


@dataclass
class Fixed:
    """A translator with one answer."""

    answer: SentenceTranslation
    asked: int = 0

    def tokenize(self, sentence: str) -> TokenizedSentence:
        return TokenizedSentence(sentence, ())

    async def translate(
        self, sentence: TokenizedSentence, *, decoding: Decoding, context: RequestContext
    ) -> SentenceTranslation:
        del sentence, decoding, context
        self.asked += 1
        return self.answer


async def pivoted(first: Fixed, second: Fixed) -> SentenceTranslation:
    route = Hop("a", "1", "fr", "en"), Hop("b", "1", "en", "bm")
    with RequestContext() as context:
        hop = PivotTranslator(first, second, route=route, mark_pivoted=False)
        return await hop.translate(TokenizedSentence(FRENCH, ()), decoding=Decoding(), context=context)


async def test_words_left_in_the_third_language_are_told() -> None:
    left = Finding(FindingType.UNTRANSLATED, Span(0, 8), Span(4, 12), "left as it is")
    number = Finding(FindingType.NUMBER_MISMATCH, Span(0, 1), None, "only beside the English")
    english = Fixed(SentenceTranslation("The children go to school.", FinishReason.LENGTH))
    bambara = Fixed(SentenceTranslation("O ye children go lakɔli la sɔgɔma.", FinishReason.STOP, (left, number)))
    found = await pivoted(english, bambara)
    assert [(each.type, each.source_span, each.target_span) for each in found.findings] == [
        (FindingType.UNTRANSLATED, None, Span(4, 12))
    ]
    assert found.finish_reason is FinishReason.LENGTH, "what the first hop lost is lost"


async def test_nothing_is_made_of_an_empty_answer_between() -> None:
    bambara = Fixed(SentenceTranslation("An invention.", FinishReason.STOP))
    found = await pivoted(Fixed(SentenceTranslation(" ", FinishReason.STOP)), bambara)
    assert (found.text, bambara.asked) == ("", 0)
    assert FindingType.LENGTH_RATIO in {each.type for each in found.findings}
