"""A decoder that remembers, seat by seat, what was read there, for tests of rows that run together."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from kunnafoni_models.gemma.decoder import Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VOCABULARY, END = 50, 1
SEATS, POSITIONS = 4, 64


class FakeDecoder:
    """Says the sum of all that a row has read, without 0 and 1, and after `len(prompt) + 5` tokens the end.

    Attributes:
        read_rows: How many rows each run began.
        most: Most rows that were seated by reading.
        most_stepped: Most seats that a step had.
        steps: Whose each one was, in order: `f`oreground or `b`ackground.
        freed: KVCacheSlots that were given back, the first and how many.
        trimmed: KVCacheSlots that were, and what they kept.
        fail, fail_read, fail_forget, fail_copy: What the next step, prompt, rest or change of seats raises.
        scores: Of every row, in place of those sums.
        gate: While closed, steps wait, which `at_gate` tells.
    """

    def __init__(self) -> None:
        self.kept: list[list[int]] = [[] for _ in range(2 * SEATS)]
        self.ends: list[int] = [0] * 2 * SEATS
        self.read_rows: list[int] = []
        self.most = 0
        self.most_stepped = 0
        self.steps: list[str] = []
        self.freed: list[tuple[int, int]] = []
        self.trimmed: list[tuple[int, int]] = []
        self.fail: BaseException | None = None
        self.fail_read: Exception | None = None
        self.fail_forget: Exception | None = None
        self.fail_copy: Exception | None = None
        self.scores: NDArray[np.float32] | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.at_gate = threading.Event()
        self.forgot = threading.Event()

    def read(self, first_seat: int, prompts: Sequence[Sequence[int]]) -> Scores:
        if self.fail_read:
            error, self.fail_read = self.fail_read, None
            raise error
        self.read_rows.append(len(prompts))
        seats = range(first_seat, first_seat + len(prompts))
        self.most = max(self.most, seats.stop)
        for seat, prompt in zip(seats, prompts, strict=True):
            self.kept[seat], self.ends[seat] = list(prompt), 2 * len(prompt) + 5
        return self._of(seats)

    def step(self, first_seat: int, tokens: Sequence[int], seen: Sequence[int]) -> Scores:
        self.at_gate.set()
        self.gate.wait(10)
        if self.fail:
            error, self.fail = self.fail, None
            raise error
        self.most_stepped = max(self.most_stepped, len(tokens))
        self.steps.append("b" if first_seat else "f")
        for seat, (token, read) in enumerate(zip(tokens, seen, strict=True), first_seat):
            assert len(self.kept[seat]) == read
            self.kept[seat].append(token)
        return self._of(range(first_seat, first_seat + len(tokens)))

    def copy(self, source: int, target: int, first: int, seen: int) -> None:
        if self.fail_copy:
            error, self.fail_copy = self.fail_copy, None
            raise error
        assert first == 0 or self.kept[target][:first] == self.kept[source][:first]
        self.kept[target], self.ends[target] = self.kept[source][:seen], self.ends[source]

    def trim(self, seat: int, seen: int) -> None:
        self.trimmed.append((seat, seen))

    def free(self, first_seat: int, seats: int) -> None:
        if self.fail_forget:
            error, self.fail_forget = self.fail_forget, None
            raise error
        self.freed.append((first_seat, seats))

    def forget(self) -> None:
        self.forgot.set()
        if self.fail_forget:
            error, self.fail_forget = self.fail_forget, None
            raise error

    def _of(self, seats: Sequence[int]) -> Scores:
        return Scores(np.stack([self._scores(seat) for seat in seats]), np.ones((len(seats), 1), np.float32))

    def _scores(self, seat: int) -> NDArray[np.float32]:
        if self.scores is not None:
            return self.scores
        scores = np.zeros(VOCABULARY, np.float32)
        scores[2 + sum(self.kept[seat]) % (VOCABULARY - 2)] = 10
        scores[2 + (sum(self.kept[seat]) + 7) % (VOCABULARY - 2)] = 8
        scores[END] = 20 if len(self.kept[seat]) >= self.ends[seat] else -20
        return scores
