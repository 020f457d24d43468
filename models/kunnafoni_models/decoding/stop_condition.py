"""Says when a greedy sequence must stop. It knows token ids, no words and no runtime."""

from __future__ import annotations

from kunnafoni_models.decoding.repetition import LoopDetector


class StopCondition:
    """Watches one sequence token by token; the end token is not among them.

    Attributes:
        tokens: How many tokens were produced so far.
        looped: True if the sequence repeats itself without end.
    """

    __slots__ = ("_detector", "_max_tokens", "looped", "tokens")

    def __init__(self, max_tokens: int) -> None:
        self._detector = LoopDetector()
        self._max_tokens = max_tokens
        self.tokens = 0
        self.looped = False

    def stops_at(self, token_id: int) -> bool:
        """Take the next token; True if it is the last one, because of the cap or of a loop."""
        self.tokens += 1
        self.looped = self._detector.loops_at(token_id)
        return self.looped or self.tokens >= self._max_tokens
