"""Results are remembered for words, and not for what only looks like one."""

from __future__ import annotations

from kunnafoni.text.word_cache import word_cache


def test_words_are_remembered_and_longer_ones_are_not() -> None:
    seen: list[tuple[str, str]] = []

    @word_cache
    def shout(word: str, language: str) -> str:
        seen.append((word, language))
        return word.upper()

    long = "ab" * 30
    assert [shout("mali", "fr"), shout("mali", "fr"), shout("mali", "bm")] == ["MALI"] * 3
    assert [shout(long, "fr"), shout(long, "fr")] == [long.upper()] * 2
    assert seen == [("mali", "fr"), ("mali", "bm"), (long, "fr"), (long, "fr")]
