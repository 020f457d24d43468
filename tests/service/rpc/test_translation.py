"""TranslationService over a real server: spans, streams, languages on the echo backend, all six directions
on the embedded model."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from kunnafoni.client import AsyncClient, Client
from kunnafoni.errors import InvalidInputError, UnavailableError
from kunnafoni.v1 import result_pb2, translation_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni.cli.local_server import LocalServer
    from kunnafoni_models.backend import Decoding, Output, OutputCallback, Prompt
    from tests.conftest import Served

TRAILING_SPACE = "   "
ARTICLE = f"""Rain in Mopti

 - The river rose by 12 cm on Monday. Two roads are closed.
 - See https://example.org/mopti or write to info@example.org.

The mayor said: "We will open the school tomorrow."{TRAILING_SPACE}
"""

SENTENCES = {
    "en": "The children go to school in the morning.",
    "fr": "Les enfants vont à l'école le matin.",
    "bm": "Denmisɛnw bɛ taa lakɔli la sɔgɔma fɛ.",
}
DIRECTIONS = [(source, target) for source in SENTENCES for target in SENTENCES if source != target]


def request(*contents: str, source: str = "en", target: str = "fr") -> translation_pb2.TranslateRequest:
    return translation_pb2.TranslateRequest(contents=contents, source_language_code=source, target_language_code=target)


async def test_spans_cover_the_content_and_what_lies_between_is_unchanged(echo: Served) -> None:
    [translation] = (await echo.translation.Translate(request(ARTICLE), timeout=60)).translations
    source_at = target_at = 0
    for segment in translation.segments:
        assert ARTICLE[source_at : segment.source_span.start] == translation.text[target_at : segment.target_span.start]
        source_at, target_at = segment.source_span.end, segment.target_span.end
    assert ARTICLE[source_at:] == translation.text[target_at:]
    copied = [
        ARTICLE[segment.source_span.start : segment.source_span.end]
        for segment in translation.segments
        if segment.finish_reason == result_pb2.FINISH_REASON_COPIED
    ]
    assert copied == ["info@example.org"]
    assert "https://example.org/mopti" in translation.text
    assert len(translation.segments) >= 6


async def test_one_translation_per_content_in_order(echo: Served) -> None:
    contents = [f"This is content number {index}." for index in range(30)]
    answer = await echo.translation.Translate(request(*contents), timeout=60)
    assert len(answer.translations) == len(contents)
    for index, translation in enumerate(answer.translations):
        assert f" {index}" in translation.text


async def test_a_stream_gives_the_same_text_in_order(echo: Served) -> None:
    contents = [ARTICLE, "One line.", "   "]
    whole = (await echo.translation.Translate(request(*contents), timeout=60)).translations
    stream = translation_pb2.TranslateStreamRequest.FromString(request(*contents).SerializeToString())
    pieces = [piece async for piece in echo.translation.TranslateStream(stream, timeout=60)]
    assert [piece.content_index for piece in pieces] == sorted(piece.content_index for piece in pieces)
    for index, translation in enumerate(whole):
        own = [piece for piece in pieces if piece.content_index == index]
        assert "".join(piece.text for piece in own) == translation.text
        assert [piece.segment for piece in own if piece.HasField("segment")] == list(translation.segments)
        assert [piece.HasField("translation") for piece in own] == [False] * (len(own) - 1) + [True]
        assert list(own[-1].translation.route) == list(translation.route)


async def test_a_segment_is_sent_before_its_batch_has_ended(echo: Served) -> None:
    backend: Any = echo.model_pool.engine("echo").backend
    generate, go_on = backend.generate, threading.Event()

    def first_row_first(prompts: Sequence[Prompt], decoding: Decoding, on_output: OutputCallback) -> list[Output]:
        outputs = generate(prompts, decoding)
        on_output(0, outputs[0])
        assert go_on.wait(120)
        return outputs

    backend.generate = first_row_first
    try:
        stream = translation_pb2.TranslateStreamRequest(
            contents=["The rain has come. The river rises."], source_language_code="en", target_language_code="fr"
        )
        pieces = aiter(echo.translation.TranslateStream(stream, timeout=60))
        assert "RAIN" in (await anext(pieces)).text
        go_on.set()
        assert "RIVER" in "".join([piece.text async for piece in pieces])
    finally:
        go_on.set()
        backend.generate = generate


async def test_an_empty_source_is_detected_for_each_content(echo: Served) -> None:
    answer = await echo.translation.Translate(request(SENTENCES["en"], SENTENCES["bm"], source=""), timeout=60)
    assert [each.source_language_code for each in answer.translations] == ["en", "bm"]
    assert all(0.5 < each.detection_confidence <= 1 for each in answer.translations)
    [named] = (await echo.translation.Translate(request(SENTENCES["en"]), timeout=60)).translations
    assert not named.HasField("detection_confidence")


async def test_a_content_already_in_the_target_language_is_copied(echo: Served) -> None:
    [translation] = (await echo.translation.Translate(request(SENTENCES["fr"], source=""), timeout=60)).translations
    assert translation.text == SENTENCES["fr"]
    assert {each.finish_reason for each in translation.segments} == {result_pb2.FINISH_REASON_COPIED}
    assert not translation.route
    assert not translation.provenance.machine_generated


async def test_provenance_and_usage_are_told(echo: Served) -> None:
    [translation] = (await echo.translation.Translate(request("Good morning."), timeout=60)).translations
    assert translation.provenance.machine_generated
    assert translation.provenance.digital_source_type.endswith("/trainedAlgorithmicMedia")
    assert translation.usage.input_tokens > 0
    assert translation.usage.output_tokens > 0
    assert [hop.model_id for hop in translation.route] == ["echo"]


def test_the_client_raises_the_errors_of_the_tree(embedded: LocalServer) -> None:
    with Client(embedded.address) as client, pytest.raises(InvalidInputError) as caught:
        client.translate(["x"], target="tlh")
    assert [violation.field for violation in caught.value.violations] == ["target_language_code"]


async def test_the_async_client_is_the_client_awaited(echo: Served) -> None:
    async with AsyncClient(echo.address) as client:
        [translation] = await client.translate([ARTICLE], target="fr", source="en")
        pieces = [piece.text async for piece in client.translate_stream([ARTICLE], target="fr", source="en")]
        assert "".join(pieces) == translation.text
        [detection] = await client.detect_language([SENTENCES["bm"]])
        assert detection.language_code == "bm"
        assert len((await client.server_info()).pairs) == 6
        assert [model.id for model in await client.models()] == ["echo"]
        with pytest.raises(InvalidInputError) as caught:
            await client.translate([], target="fr")
        assert [violation.field for violation in caught.value.violations] == ["contents"]


async def test_the_async_client_waits_until_models_serve_and_no_longer(echo: Served) -> None:
    async with AsyncClient(echo.address) as client:
        await client.wait_until_serving(20)
    async with AsyncClient("localhost:1") as nobody:
        with pytest.raises(UnavailableError):
            await nobody.wait_until_serving(0.2)


@pytest.mark.parametrize(("source", "target"), DIRECTIONS)
def test_the_embedded_model_translates_all_six_directions(embedded: LocalServer, source: str, target: str) -> None:
    with Client(embedded.address) as client:
        [first] = client.translate([SENTENCES[source]], target=target, source=source)
        [again] = client.translate([SENTENCES[source]], target=target)
        assert first.text == again.text
        assert first.text.strip()
        assert first.text != SENTENCES[source]
        [detection] = client.detect_language([first.text])
        assert detection.language_code in {target, "und"}
        assert first.route[0].model_id == "kunnafoni-270m"
        assert first.route[0].model_revision


@pytest.mark.parametrize("source", SENTENCES)
def test_detect_language(embedded: LocalServer, source: str) -> None:
    with Client(embedded.address) as client:
        [detection] = client.detect_language([SENTENCES[source]])
    assert detection.language_code == source
    assert 0.5 < detection.confidence <= 1
