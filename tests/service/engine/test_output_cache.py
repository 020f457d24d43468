"""The cache of recent outputs: what it keeps, what it evicts, how much memory it takes."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from kunnafoni.engine.output_cache import OutputCache
from kunnafoni_models.backend import Decoding, Output, Prompt


def output(text: str) -> Output:
    return Output(text=text, tokens=len(text), reached_cap=False)


def test_it_evicts_the_least_recently_used_output() -> None:
    cache = OutputCache(3 * 500)
    for key in (b"a", b"b", b"c"):
        cache.put(key, output("x"))
    assert cache.get(b"a") == output("x")
    cache.put(b"d", output("x"))
    assert [key for key in (b"a", b"b", b"c", b"d") if cache.get(key)] == [b"a", b"c", b"d"]
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.entries) == (4, 1, 3)


def test_an_output_above_the_bound_is_not_cached() -> None:
    cache = OutputCache(1000)
    cache.put(b"a", output("x"))
    cache.put(b"b", output("x" * 1000))
    assert cache.get(b"a")
    assert cache.get(b"b") is None


def test_putting_twice_counts_once() -> None:
    cache = OutputCache(1000)
    cache.put(b"a", output("x"))
    size_bytes = cache.stats().size_bytes
    cache.put(b"a", output("x"))
    assert cache.stats().size_bytes == size_bytes


@pytest.mark.parametrize("letters", ["a", "ɛ"])
def test_the_bound_holds_for_real_memory(letters: str) -> None:
    taken: list[int] = []
    for _ in range(2):  # the interpreter's table of strings may grow meanwhile, but not twice
        gc.collect()
        tracemalloc.start()
        cache = OutputCache(500_000)
        for number in range(6_000):
            cache.put(cache.key(Prompt((str(number),), 10), Decoding()), output(f"{number}{letters * (number % 200)}"))
        gc.collect()
        taken.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert cache.stats().size_bytes <= 500_000
    assert 400_000 < min(taken) < 550_000


def test_the_key_depends_on_everything_that_decides_the_output() -> None:
    keys = [
        OutputCache.key(prompt, decoding)
        for prompt in (
            Prompt(("a", "b"), 10),
            Prompt(("ab",), 10),
            Prompt(("a b",), 10),
            Prompt(("a", "b"), 11),
            Prompt(("a", "b"), 10, ("bam_Latn",)),
            Prompt(("a', 'b",), 10),
        )
        for decoding in (Decoding(), Decoding(beam_size=2), Decoding(repetition_penalty=1.2))
    ]
    assert len(set(keys)) == len(keys) == 18
    assert OutputCache.key(Prompt(("a",), 1), Decoding()) == OutputCache.key(Prompt(("a",), 1), Decoding())
