"""What becomes of an answer that looks wrong: another decoding, then two halves, then a warning."""

from __future__ import annotations

from dataclasses import replace

from kunnafoni.v1 import result_pb2, translation_pb2
from tests.conftest import echo_entry, serve

LOOPS = "The drum of the village is heard every evening."
FINE = "The road to the market is closed."


def request(text: str) -> translation_pb2.TranslateRequest:
    return translation_pb2.TranslateRequest(contents=[text], source_language_code="en", target_language_code="fr")


async def test_a_sentence_that_loops_is_translated_once_more() -> None:
    async with serve(echo_entry(loop_on="drum")) as served:
        [mended] = (await served.translation.Translate(request(f"{FINE} {LOOPS}"))).translations
        assert LOOPS.upper() in mended.text
        assert [segment.finish_reason for segment in mended.segments] == [result_pb2.FINISH_REASON_STOP] * 2
        assert served.fleet.engine("echo").stats().batcher.rows == 3
        [fine] = (await served.translation.Translate(request(LOOPS.replace("drum", "horn")))).translations
        assert mended.usage.output_tokens > 2 * fine.usage.output_tokens, "both tries are counted"


async def test_an_answer_that_does_not_end_is_tried_in_halves() -> None:
    async with serve(echo_entry(long_on="drum")) as served:
        [translation] = (await served.translation.Translate(request(LOOPS))).translations
        assert served.fleet.engine("echo").stats().batcher.rows == 4
        assert [segment.finish_reason for segment in translation.segments] == [result_pb2.FINISH_REASON_LENGTH]
        await served.translation.Translate(request(FINE))
        assert served.fleet.engine("echo").stats().batcher.rows == 5


async def test_without_second_tries_what_looks_wrong_is_only_marked() -> None:
    async with serve(echo_entry(loop_on="drum"), second_tries=False) as served:
        [translation] = (await served.translation.Translate(request(f"{FINE} {LOOPS}"))).translations
        assert served.fleet.engine("echo").stats().batcher.rows == 2
        fine, looping = translation.segments
        assert fine.finish_reason == result_pb2.FINISH_REASON_STOP
        assert looping.finish_reason == result_pb2.FINISH_REASON_LENGTH
        assert result_pb2.WARNING_TYPE_REPETITION in {warning.type for warning in looping.warnings}


async def test_a_direction_whose_model_loops_often_is_decoded_with_a_penalty_at_once() -> None:
    entry = echo_entry(loop_on="drum")
    directions = tuple(replace(each, repetition_penalty=1.1) for each in entry.directions if each.target == "fr")
    async with serve(replace(entry, directions=directions)) as served:
        [translation] = (await served.translation.Translate(request(LOOPS))).translations
        assert LOOPS.upper() in translation.text
        assert served.fleet.engine("echo").stats().batcher.rows == 1
