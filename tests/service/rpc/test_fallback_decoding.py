"""What becomes of an output that looks wrong: a changed prompt or decoding, then two halves, then a warning."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kunnafoni.translation.direct import FALLBACK_REPETITION_PENALTY
from kunnafoni.v1 import result_pb2, translation_pb2
from kunnafoni_models.backend import Decoding, Output
from tests.conftest import echo_entry, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni_models.backend import OutputCallback, Prompt

LOOPS = "The drum of the village is heard every evening."
FINE = "The road to the market is closed."


def request(text: str) -> translation_pb2.TranslateRequest:
    return translation_pb2.TranslateRequest(contents=[text], source_language_code="en", target_language_code="fr")


async def test_a_sentence_that_loops_is_translated_once_more() -> None:
    async with serve(echo_entry(loop_on="drum")) as served:
        [repaired] = (await served.translation.Translate(request(f"{FINE} {LOOPS}"))).translations
        assert LOOPS.upper() in repaired.text
        assert [segment.finish_reason for segment in repaired.segments] == [result_pb2.FINISH_REASON_STOP] * 2
        assert served.model_pool.engine("echo").stats().batcher.sequences == 3
        [fine] = (await served.translation.Translate(request(LOOPS.replace("drum", "horn")))).translations
        assert repaired.usage.output_tokens > 2 * fine.usage.output_tokens, "both attempts are counted"


@pytest.mark.parametrize("hears_spaces", [True, False], ids=["changed prompt", "changed decoding"])
async def test_a_sentence_with_an_odd_answer_is_translated_once_more(*, hears_spaces: bool) -> None:
    async with serve(echo_entry()) as served:
        backend: Any = served.model_pool.engine("echo").backend
        generate, write = backend.generate, backend.translation_prompt
        seen: list[tuple[bool, Decoding]] = []

        def odd_at_first(prompts: Sequence[Prompt], decoding: Decoding, _: OutputCallback) -> list[Output]:
            seen.extend((not prompt.tokens[-1].strip(), decoding) for prompt in prompts)
            outputs = generate(prompts, decoding)
            return [Output("?", 1, reached_cap=False)] if len(seen) == 1 else outputs

        def deaf(text: str, *, source: str, target: str) -> Prompt:
            return write(text.strip(), source=source, target=target)

        backend.generate = odd_at_first
        if not hears_spaces:
            backend.translation_prompt = deaf
        [repaired] = (await served.translation.Translate(request(LOOPS))).translations
        assert LOOPS.upper() in repaired.text
        other = (
            (True, Decoding()) if hears_spaces else (False, Decoding(repetition_penalty=FALLBACK_REPETITION_PENALTY))
        )
        assert seen == [(False, Decoding()), other]


async def test_an_answer_that_does_not_end_is_tried_in_halves() -> None:
    async with serve(echo_entry(long_on="drum")) as served:
        [translation] = (await served.translation.Translate(request(LOOPS))).translations
        assert served.model_pool.engine("echo").stats().batcher.sequences == 4
        assert [segment.finish_reason for segment in translation.segments] == [result_pb2.FINISH_REASON_LENGTH]
        await served.translation.Translate(request(FINE))
        assert served.model_pool.engine("echo").stats().batcher.sequences == 5


async def test_without_fallback_decoding_what_looks_wrong_is_only_marked() -> None:
    async with serve(echo_entry(loop_on="drum"), fallback_decoding=False) as served:
        [translation] = (await served.translation.Translate(request(f"{FINE} {LOOPS}"))).translations
        assert served.model_pool.engine("echo").stats().batcher.sequences == 2
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
        assert served.model_pool.engine("echo").stats().batcher.sequences == 1
