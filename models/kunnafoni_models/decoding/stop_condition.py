"""Says when a row of a greedy batch must stop. It knows numbers, not words, and no runtime."""

from __future__ import annotations

from kunnafoni_models.decoding.repetition import LoopDetector


class StopCondition:
    """Takes a row's tokens as they come, the end token not among them.

    Attributes:
        tokens: How many tokens came so far.
        looped: True if the row went round in circles.
    """

    __slots__ = ("_guard", "_max_tokens", "looped", "tokens")

    def __init__(self, max_tokens: int) -> None:
        self._guard = LoopDetector()
        self._max_tokens = max_tokens
        self.tokens = 0
        self.looped = False

    def stop(self, token_id: int) -> bool:
        """Take the next token; True if it is the last one, by the cap or for a loop."""
        self.tokens += 1
        self.looped = self._guard.loops(token_id)
        return self.looped or self.tokens >= self._max_tokens
