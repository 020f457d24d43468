"""What a result cost: counted per segment, whatever number of model runs a segment took."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kunnafoni.translation.sentences import Usage
from kunnafoni.v1 import translation_pb2
from kunnafoni_models.catalog.entry import Direction
from tests.conftest import echo_entry, serve

if TYPE_CHECKING:
    from tests.conftest import Served

LOOPS = "The drum of the village is heard every evening."
FINE = "The road to the market is closed."


def request(text: str, target: str = "fr") -> translation_pb2.TranslateRequest:
    return translation_pb2.TranslateRequest(contents=[text], source_language_code="en", target_language_code=target)


async def usage_of(served: Served, text: str, target: str = "fr") -> translation_pb2.Translation:
    [translation] = (await served.translation.Translate(request(text, target), timeout=60)).translations
    return translation


async def test_a_segment_that_was_decoded_twice_is_cached_once() -> None:
    async with serve(echo_entry(loop_on="drum")) as served:
        first = await usage_of(served, f"{FINE} {LOOPS}")
        again = await usage_of(served, f"{FINE} {LOOPS}")
        assert (len(first.segments), first.usage.cached_segments) == (2, 0)
        assert (len(again.segments), again.usage.cached_segments) == (2, 2)
        assert again.usage.output_tokens == first.usage.output_tokens
        new = await usage_of(served, f"{FINE} The horn of the village is heard every evening.")
        assert new.usage.cached_segments == 1


async def test_a_segment_that_went_over_two_hops_is_cached_once() -> None:
    entry = echo_entry()
    entry = replace(entry, directions=(Direction("en", "fr"), Direction("fr", "bm")))
    async with serve(entry) as served:
        assert len((await usage_of(served, FINE, "bm")).route) == 2
        again = await usage_of(served, FINE, "bm")
        assert (len(again.segments), again.usage.cached_segments) == (1, 1)


async def test_times_are_durations(echo: Served) -> None:
    translation = await usage_of(echo, FINE)
    assert translation.usage.inference_time.ToNanoseconds() > 0
    assert translation.usage.HasField("queue_time")


def test_the_longest_wait_is_the_longest_single_one() -> None:
    waits = [Usage(queue_ms=3.0), Usage(queue_ms=7.0), Usage(queue_ms=5.0)]
    assert sum(waits, Usage()).queue_ms == 7.0
    assert Usage.of_one_segment(waits).queue_ms == 7.0


def test_a_segment_is_cached_only_if_all_its_runs_were() -> None:
    cached, run = Usage(output_tokens=2, cached_segments=1), Usage(output_tokens=3)
    assert Usage.of_one_segment([cached, cached]) == Usage(output_tokens=4, cached_segments=1)
    assert Usage.of_one_segment([cached, run]) == Usage(output_tokens=5)
    assert Usage.of_one_segment([]) == Usage()
