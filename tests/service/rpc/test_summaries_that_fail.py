"""What becomes of a summary that must not go out: a server with a model that writes what the test tells it to."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import pytest

from kunnafoni.engine.engine_manager import EngineManager
from kunnafoni.engine.scheduler_config import SchedulerConfig
from kunnafoni.rpc.requests import Limits
from kunnafoni.rpc.summarization import SummarizationServicer
from kunnafoni.summarization.summarizer import Summarizer
from kunnafoni.translation.model_pool import ModelPool
from kunnafoni.translation.translator import Translator
from kunnafoni.v1 import result_pb2, summarization_pb2, summarization_pb2_grpc
from kunnafoni_models.backend import Output
from kunnafoni_models.backends.echo_backend import EchoBackend
from tests.conftest import echo_entry
from tests.service.rpc.articles import BODIES, check_warnings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from kunnafoni_models.backend import Decoding, OutputCallback, Prompt
    from kunnafoni_models.catalog.entry import CatalogEntry

GOOD = "A new school with 12 classrooms has opened in Sikasso after two years of work."
BAD = {
    "number": "A new school with 15 classrooms has opened in Sikasso after two years of work.",
    "name": "President Oumar Keita opened a new school in Sikasso after two years of work.",
    "date": "A new school with 12 classrooms has opened in Sikasso on Friday, 3 March.",
    "quotation": 'A new school has opened in Sikasso. "We are very happy with it," said Awa Sangaré.',
    "repetition": "A new school has opened, a new school has opened, a new school has opened in Sikasso.",
    "language": "Une nouvelle école avec une bibliothèque a ouvert après deux ans de travaux dans la ville.",
    "prompt": "A new school has opened in Sikasso.\n\nSummary in English: A new school has opened.",
    "empty": "",
    "no letters": "12 340 2027",
    "cap": GOOD + " " + "x" * 1000,
}
CAP_TOKENS = 120
LIMITS = Limits(
    max_contents=10,
    max_content_code_points=10_000,
    max_call_code_points=10_000,
    max_message_bytes=100_000,
    max_beam_size=4,
)


class ScriptedBackend(EchoBackend):
    """Answers prompts for summaries with the beam's text or the greedy one, and translates as the echo does.

    Of `mistranslated` the first, in capitals, becomes the second.
    """

    def __init__(self, entry: CatalogEntry, beam: str, greedy: str, mistranslated: tuple[str, str]) -> None:
        super().__init__(entry)
        self._beam, self._greedy, self._mistranslated = beam, greedy, mistranslated

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, on_output: OutputCallback | None = None
    ) -> list[Output]:
        del on_output  # the echo would tell of its own answers
        text = self._beam if decoding.beam_size > 1 else self._greedy
        tokens = self.count_tokens(text)
        script = Output(text, tokens, reached_cap=tokens >= CAP_TOKENS)
        echoes = super().generate(prompts, decoding)
        return [
            replace(echo, text=self._translated(echo.text)) if ">" in prompt.tokens[0] else script
            for prompt, echo in zip(prompts, echoes, strict=True)
        ]

    def _translated(self, echo: str) -> str:
        """What the echo says, with letters that French has too."""
        return echo.translate(str.maketrans("ƐƆƝŊ", "EONN")).replace(*self._mistranslated)


@asynccontextmanager
async def scripted(
    beam: str, greedy: str, *, mistranslated: tuple[str, str] = ("\0", ""), **policy: int
) -> AsyncGenerator[summarization_pb2_grpc.SummarizationServiceAsyncStub]:
    """Stub of a server with that model."""
    entry = replace(echo_entry(), id="scripted")
    engines: EngineManager[CatalogEntry] = EngineManager(
        lambda entry: ScriptedBackend(entry, beam, greedy, mistranslated),
        warm_up=lambda _, backend: backend.summary_prompt("x", language="en"),
        config=SchedulerConfig(**policy),
        cache_bytes=0,
    )
    model_pool = ModelPool({entry.id: entry}, engines)
    summarizer = Summarizer(
        model_pool, Translator(model_pool), max_sequence_tokens=SchedulerConfig(**policy).max_batch_tokens
    )
    server = grpc.aio.server()
    summarization_pb2_grpc.add_SummarizationServiceServicer_to_server(SummarizationServicer(summarizer, LIMITS), server)
    port = server.add_insecure_port("localhost:0")
    await server.start()
    try:
        engines.load(entry.id, entry)
        await engines.wait()
        async with grpc.aio.insecure_channel(f"localhost:{port}") as channel:
            yield summarization_pb2_grpc.SummarizationServiceStub(channel)
    finally:
        await server.stop(0)
        await engines.close()


def request(*targets: str, source: str = "en", length: str = "SHORT") -> summarization_pb2.SummarizeRequest:
    return summarization_pb2.SummarizeRequest(
        article=summarization_pb2.Article(body=BODIES[source], language_code=source),
        target_language_codes=targets,
        length=summarization_pb2.SummaryLength.Value(f"SUMMARY_LENGTH_{length}"),
    )


def kinds(edition: summarization_pb2.Edition) -> set[str]:
    check_warnings(edition)
    return {result_pb2.WarningType.Name(warning.type).removeprefix("WARNING_TYPE_") for warning in edition.warnings}


async def test_a_summary_that_holds_goes_out_as_it_is() -> None:
    async with scripted(GOOD, "") as stub:
        [edition] = (await stub.Summarize(request("en"), timeout=60)).editions
    assert edition.summary.startswith(GOOD)
    assert edition.headline == "A new school with 12 classrooms has opened in Sikasso after two years of…"
    assert edition.summary_method == summarization_pb2.SUMMARY_METHOD_GENERATED
    assert not kinds(edition)
    assert edition.coverage == 1
    assert [(hop.source_language_code, hop.target_language_code) for hop in edition.route] == [("en", "en")]
    assert edition.provenance.machine_generated


async def test_it_is_filled_up_with_sentences_that_tell_something_new() -> None:
    async with scripted(GOOD, "") as stub:
        [edition] = (await stub.Summarize(request("en", length="MEDIUM"), timeout=60)).editions
    assert edition.summary.startswith(GOOD)
    assert 50 <= len(edition.summary.split()) <= 84
    assert "opened a new school in Sikasso" not in edition.summary


async def test_what_it_says_is_not_said_again_with_more_around_it() -> None:
    asked = request("en", length="MEDIUM")
    lead = GOOD.replace("A new", "Sikasso, 2 February (AMAP) - A brand new")[:-1]
    asked.article.body = f"{lead}, the governor told reporters on Monday at the town hall. {asked.article.body}"
    async with scripted(GOOD, "") as stub:
        [edition] = (await stub.Summarize(asked, timeout=60)).editions
    assert len(edition.summary.split()) >= 50
    assert "brand new" not in edition.summary


@pytest.mark.parametrize("most", range(16, 40))
async def test_filling_up_keeps_to_the_words_asked_for(most: int) -> None:
    asked = request("en")
    asked.max_words = most
    async with scripted(GOOD, "") as stub:
        [edition] = (await stub.Summarize(asked, timeout=60)).editions
    assert edition.summary.startswith(GOOD)
    assert len(edition.summary.split()) <= most


@pytest.mark.parametrize("wrong", BAD)
async def test_a_summary_that_does_not_hold_is_written_again(wrong: str) -> None:
    async with scripted(BAD[wrong], GOOD) as stub:
        [edition] = (await stub.Summarize(request("en"), timeout=60)).editions
    assert edition.summary.startswith(GOOD)
    assert not kinds(edition)


@pytest.mark.parametrize("wrong", BAD)
async def test_and_replaced_if_it_does_not_hold_again(wrong: str) -> None:
    async with scripted(BAD[wrong], BAD[wrong]) as stub:
        own, french = (await stub.Summarize(request("en", "fr"), timeout=60)).editions
    assert own.summary_method == french.summary_method == summarization_pb2.SUMMARY_METHOD_EXTRACTIVE
    assert "EXTRACTIVE" in kinds(own)
    assert "EXTRACTIVE" in kinds(french)
    assert all(sentence in " ".join(BODIES["en"].split()) for sentence in own.summary.split(". "))
    assert not own.route
    assert not own.provenance.machine_generated
    assert own.usage.input_tokens > 0


async def test_what_is_too_long_is_cut_after_a_sentence() -> None:
    long = (
        f"{GOOD} {'The minister of education opened it on Monday. ' * 2}It has a library, and the mayor promised more."
    )
    async with scripted(long, "") as stub:
        asked = request("en")
        asked.max_words = 17
        [edition] = (await stub.Summarize(asked, timeout=60)).editions
    assert edition.summary == GOOD


async def test_a_translated_summary_is_looked_up_in_the_article() -> None:
    async with scripted(GOOD, "", mistranslated=("TWO YEARS", "1998")) as stub:
        [edition] = (await stub.Summarize(request("fr"), timeout=60)).editions
    assert {"UNSUPPORTED_NUMBER"} <= kinds(edition)
    told = [
        edition.summary[warning.span.start : warning.span.end]
        for warning in edition.warnings
        if warning.part == summarization_pb2.EDITION_PART_SUMMARY
        and warning.HasField("span")
        and warning.type != result_pb2.WARNING_TYPE_UNTRANSLATED  # the echo's French is English
    ]
    assert told == ["1998"]
    assert [(hop.source_language_code, hop.target_language_code) for hop in edition.route] == [
        ("en", "en"),
        ("en", "fr"),
    ]


async def test_what_the_translation_of_a_summary_lacks_is_told_in_words() -> None:
    async with scripted(GOOD, "", mistranslated=("12 CLASSROOMS", "CLASSROOMS")) as stub:
        [edition] = (await stub.Summarize(request("fr"), timeout=60)).editions
    told = [warning for warning in edition.warnings if warning.type == result_pb2.WARNING_TYPE_NUMBER_MISMATCH]
    assert [(warning.source_words, warning.HasField("span")) for warning in told] == [("12", False)] * 2
    assert {warning.part for warning in told} == {1, 2}, "the headline is made of the same sentence"


async def test_bambara_goes_by_way_of_french() -> None:
    good = "Une nouvelle école de 12 salles de classe a ouvert."
    async with scripted(good, "") as stub:
        request_ = request("bm", "fr", "en", source="bm")
        bambara, french, english = (await stub.Summarize(request_, timeout=60)).editions
    routes = [
        [(hop.source_language_code, hop.target_language_code) for hop in e.route] for e in (bambara, french, english)
    ]
    way = [("bm", "fr"), ("fr", "fr")]
    assert routes == [[*way, ("fr", "bm")], way, [*way, ("fr", "en")]]
    assert all("PIVOTED" in kinds(edition) for edition in (bambara, french, english))
    assert french.summary.startswith(good)
    assert bambara.key_points[0].text == bambara.key_points[0].source_text
    assert english.key_points[0].text.startswith("[bm>en]")


async def test_an_engine_for_small_batches_gets_a_narrower_search() -> None:
    async with scripted(BAD["number"], GOOD, max_batch_tokens=300, max_queue_tokens=10_000) as stub:
        [edition] = (await stub.Summarize(request("en"), timeout=60)).editions
    assert edition.summary.startswith(GOOD)
    assert edition.summary_method == summarization_pb2.SUMMARY_METHOD_GENERATED
