"""A decoder that records what each slot has read, for tests of continuous batching."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from kunnafoni_models.gemma.decoder import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VOCABULARY, END = 50, 1
SLOTS, MAX_LENGTH = 4, 64


class FakeDecoder:
    """The next token is the sum of all tokens in the slot, without 0 and 1; after `len(prompt) + 5` tokens, the end.

    Attributes:
        prefills: How many prompts each prefill read.
        most_prefilled: Most slots that were occupied after a prefill.
        most_stepped: Most slots that took part in a decode step.
        steps: Priority of each step in order: `f`oreground or `b`ackground.
        released: Slots that were released: the first one and how many.
        trimmed: Slots that were trimmed, and the tokens that they kept.
        fail_step, fail_prefill, fail_release, fail_copy: The error of the next call of that kind.
        scores: Scores of every sequence; None for those of the sum.
        gate: While it is closed, steps wait; `at_gate` is set then.
    """

    def __init__(self) -> None:
        self.cached: list[list[int]] = [[] for _ in range(2 * SLOTS)]
        self.ends: list[int] = [0] * 2 * SLOTS
        self.prefills: list[int] = []
        self.most_prefilled = 0
        self.most_stepped = 0
        self.steps: list[str] = []
        self.released: list[tuple[int, int]] = []
        self.trimmed: list[tuple[int, int]] = []
        self.fail_step: BaseException | None = None
        self.fail_prefill: Exception | None = None
        self.fail_release: Exception | None = None
        self.fail_copy: Exception | None = None
        self.scores: NDArray[np.float32] | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.at_gate = threading.Event()
        self.memory_released = threading.Event()

    def prefill(self, first_slot: int, prompts: Sequence[Sequence[int]]) -> Scores:
        if self.fail_prefill:
            error, self.fail_prefill = self.fail_prefill, None
            raise error
        self.prefills.append(len(prompts))
        slots = range(first_slot, first_slot + len(prompts))
        self.most_prefilled = max(self.most_prefilled, slots.stop)
        for slot, prompt in zip(slots, prompts, strict=True):
            self.cached[slot], self.ends[slot] = list(prompt), 2 * len(prompt) + 5
        return self._scores_of(slots)

    def decode_step(self, first_slot: int, tokens: Sequence[int], cached_tokens: Sequence[int]) -> Scores:
        self.at_gate.set()
        self.gate.wait(10)
        if self.fail_step:
            error, self.fail_step = self.fail_step, None
            raise error
        self.most_stepped = max(self.most_stepped, len(tokens))
        self.steps.append("b" if first_slot else "f")
        for slot, (token, cached) in enumerate(zip(tokens, cached_tokens, strict=True), first_slot):
            assert len(self.cached[slot]) == cached
            self.cached[slot].append(token)
        return self._scores_of(range(first_slot, first_slot + len(tokens)))

    def copy_slot(self, source: int, target: int, *, start: int, stop: int) -> None:
        if self.fail_copy:
            error, self.fail_copy = self.fail_copy, None
            raise error
        assert start == 0 or self.cached[target][:start] == self.cached[source][:start]
        self.cached[target], self.ends[target] = self.cached[source][:stop], self.ends[source]

    def trim_slot(self, slot: int, kept_tokens: int) -> None:
        self.trimmed.append((slot, kept_tokens))

    def release_slots(self, first_slot: int, slots: int) -> None:
        self._fail_release()
        self.released.append((first_slot, slots))

    def release_memory(self) -> None:
        self.memory_released.set()
        self._fail_release()

    def _fail_release(self) -> None:
        if self.fail_release:
            error, self.fail_release = self.fail_release, None
            raise error

    def _scores_of(self, slots: Sequence[int]) -> Scores:
        return Scores(np.stack([self._scores(slot) for slot in slots]), np.ones((len(slots), 1), np.float32))

    def _scores(self, slot: int) -> NDArray[np.float32]:
        if self.scores is not None:
            return self.scores
        scores = np.zeros(VOCABULARY, np.float32)
        scores[2 + sum(self.cached[slot]) % (VOCABULARY - 2)] = 10
        scores[2 + (sum(self.cached[slot]) + 7) % (VOCABULARY - 2)] = 8
        scores[END] = 20 if len(self.cached[slot]) >= self.ends[slot] else -20
        return scores
