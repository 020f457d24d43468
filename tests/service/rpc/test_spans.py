"""Spans in the unit that a request asks for, over a real server: what they cut out is the same in every unit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import hypothesis
import hypothesis.strategies as st
import pytest

from kunnafoni.rpc.spans import SpanConverter
from kunnafoni.text.spans import Span
from kunnafoni.v1 import result_pb2, summarization_pb2, summarization_pb2_grpc, translation_pb2
from tests.conftest import echo_entry, serve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kunnafoni.v1.result_pb2 import Warning  # noqa: A004 - the wire's name
    from kunnafoni_models.backend import Decoding, Output, OutputCallback, Prompt
    from tests.conftest import Served

UTF8, UTF16, UTF32 = result_pb2.ENCODING_TYPE_UTF8, result_pb2.ENCODING_TYPE_UTF16, result_pb2.ENCODING_TYPE_UTF32
# Emoji, letters of Bambara, a combining mark, a family joined out of four emoji, an old script beyond U+FFFF.
TEXT = (
    "🎉 Ɛlizabɛti paid 500 francs in Ségou. \n\nThe 👩‍👩‍👧‍👦 of Mu\u0301sa saw 𐎀 and ɲɛgɛn. Naïve café 🎊: 700 people. "
)
BODY = """🎉 The bridge of Ségou opened on Monday after two years of work by the state.

Mayor Ɛlizabɛti Mu\u0301sa said that 500 trucks a day will pay two thousand francs at the toll 🎊.

The old bridge was closed by the floods of August, and the traders lost 70 million francs.

Farmers of the village bring their onions to the market of Bamako again from Friday on."""


def sliced(text: str, span: result_pb2.Span, unit: result_pb2.EncodingType.ValueType) -> str:
    """What a program cuts out whose strings count in that unit."""
    if unit == UTF8:
        return text.encode()[span.start : span.end].decode()
    if unit == UTF16:
        return text.encode("utf-16-le")[2 * span.start : 2 * span.end].decode("utf-16-le")
    return text[span.start : span.end]


class OtherNumbers:
    """Lets the echo model write another number, so that there are warnings on both sides."""

    def __init__(self, served: Served) -> None:
        backend: Any = served.model_pool.engine("echo").backend
        self._generate = backend.generate
        backend.generate = self

    def __call__(self, prompts: Sequence[Prompt], decoding: Decoding, on_output: OutputCallback | None) -> list[Output]:
        del on_output  # all are answered when the batch is
        outputs = self._generate(prompts, decoding)
        return [replace(each, text=f"🎈 {each.text.replace('500', '900')}") for each in outputs]


def request(unit: result_pb2.EncodingType.ValueType = UTF32) -> translation_pb2.TranslateRequest:
    return translation_pb2.TranslateRequest(
        contents=["First 🎉.", TEXT], source_language_code="en", target_language_code="fr", encoding_type=unit
    )


def cut_out(
    segments: Iterable[translation_pb2.Segment], source: str, target: str, unit: result_pb2.EncodingType.ValueType
) -> list[tuple[str, ...]]:
    """The words of all spans, segment by segment."""
    found: list[tuple[str, ...]] = []
    for segment in segments:
        found.append((sliced(source, segment.source_span, unit), sliced(target, segment.target_span, unit)))
        found += [marked(warning, source, target, unit) for warning in segment.warnings]
    return found


def marked(warning: Warning, source: str, target: str, unit: result_pb2.EncodingType.ValueType) -> tuple[str, ...]:
    return (
        sliced(source, warning.source_span, unit) if warning.HasField("source_span") else "",
        sliced(target, warning.target_span, unit) if warning.HasField("target_span") else "",
    )


async def test_every_unit_cuts_out_the_same_words() -> None:
    async with serve(echo_entry()) as served:
        OtherNumbers(served)
        _, expected = (await served.translation.Translate(request(), timeout=60)).translations
        words = cut_out(expected.segments, TEXT, expected.text, UTF32)
        assert ("500", "") in words
        assert ("", "900") in words
        for unit in (UTF8, UTF16):
            _, found = (await served.translation.Translate(request(unit), timeout=60)).translations
            assert found.text == expected.text
            assert cut_out(found.segments, TEXT, found.text, unit) == words
            assert list(found.segments) != list(expected.segments), "the units differ on this text"
        unset = (
            await served.translation.Translate(request(result_pb2.ENCODING_TYPE_UNSPECIFIED), timeout=60)
        ).translations
        assert list(unset[1].segments) == list(expected.segments)


@pytest.mark.parametrize("unit", [UTF8, UTF16, UTF32])
async def test_spans_of_a_stream_count_from_the_beginning_of_the_whole_texts(
    unit: result_pb2.EncodingType.ValueType,
) -> None:
    async with serve(echo_entry()) as served:
        OtherNumbers(served)
        whole = (await served.translation.Translate(request(unit), timeout=60)).translations
        stream = translation_pb2.TranslateStreamRequest.FromString(request(unit).SerializeToString())
        pieces = [piece async for piece in served.translation.TranslateStream(stream, timeout=60)]
        for index, translation in enumerate(whole):
            segments = [piece.segment for piece in pieces if piece.content_index == index and piece.HasField("segment")]
            assert segments == list(translation.segments)


async def test_editions_count_in_that_unit_too(echo: Served) -> None:
    OtherNumbers(echo)
    stub = summarization_pb2_grpc.SummarizationServiceStub(echo.channel)

    async def edition(unit: result_pb2.EncodingType.ValueType) -> summarization_pb2.Edition:
        asked = summarization_pb2.SummarizeRequest(
            article=summarization_pb2.Article(headline="🎉 Ségou: 500 trucks", body=BODY, language_code="en"),
            target_language_codes=["fr"],
            encoding_type=unit,
        )
        [found] = (await stub.Summarize(asked, timeout=60)).editions
        stream = summarization_pb2.SummarizeStreamRequest.FromString(asked.SerializeToString())
        [streamed] = [each.edition async for each in stub.SummarizeStream(stream, timeout=60)]
        assert (streamed.key_points, streamed.warnings) == (found.key_points, found.warnings)
        return found

    def words(found: summarization_pb2.Edition, unit: result_pb2.EncodingType.ValueType) -> list[list[tuple[str, ...]]]:
        parts = {
            summarization_pb2.EDITION_PART_HEADLINE: found.headline,
            summarization_pb2.EDITION_PART_SUMMARY: found.summary,
        }
        warned = [(sliced(parts[each.part], each.span, unit),) for each in found.warnings if each.HasField("span")]
        points = [(sliced(BODY, point.span, unit),) for point in found.key_points]
        in_points = [
            marked(warning, point.source_text, point.text, unit)
            for point in found.key_points
            for warning in point.warnings
        ]
        return [warned, points, in_points]

    expected = await edition(UTF32)
    warned, points, in_points = words(expected, UTF32)
    assert warned
    assert points == [(point.source_text,) for point in expected.key_points]
    assert ("500", "") in in_points
    assert ("", "900") in in_points
    for unit in (UTF8, UTF16):
        assert words(await edition(unit), unit) == words(expected, UTF32)


async def test_a_unit_that_the_server_does_not_know_is_refused(echo: Served) -> None:
    unknown: Any = 9
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await echo.translation.Translate(request(unknown), timeout=60)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    stub = summarization_pb2_grpc.SummarizationServiceStub(echo.channel)
    asked = summarization_pb2.SummarizeRequest(
        article=summarization_pb2.Article(body=BODY), target_language_codes=["fr"], encoding_type=unknown
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Summarize(asked, timeout=60)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@hypothesis.given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=4),
    st.data(),
    st.sampled_from([UTF8, UTF16, UTF32]),
)
def test_a_text_in_pieces_counts_as_the_whole(
    pieces: list[str], data: st.DataObject, unit: result_pb2.EncodingType.ValueType
) -> None:
    whole = "".join(pieces)
    converter = SpanConverter(unit)
    start = 0
    for piece in pieces:
        converter.append(piece)
        end = start + len(piece)
        span = Span(*sorted(data.draw(st.tuples(st.integers(start, end), st.integers(start, end)))))
        assert sliced(whole, converter.message(span), unit) == whole[span.start : span.end]
        start = end
