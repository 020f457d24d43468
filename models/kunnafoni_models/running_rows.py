"""Rows that run together, each from when it comes to when it ends (Yu et al. 2022, Orca).

At every step each gets a token, and whoever has come joins in. It chooses tokens and ends rows. It does not know texts,
or who waits for a row.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from kunnafoni_models.row_watch import RowWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

LOG = logging.getLogger(__name__)
# Prompt tokens that are read between two steps: more make those who run wait, and are read no faster (0.2 ms each from
# 140 on, 2 cores, 2026-11-27).
_READ_AT_ONCE = 320
# When nothing has run for so long, what the seats keep is given back.
_REST_AFTER_S = 2.0


class Decoder(Protocol):
    """What `GemmaDecoder` is; see there."""

    def read(self, first_seat: int, prompts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Seat new rows."""
        ...

    def step(self, tokens: Sequence[int], seen: Sequence[int]) -> NDArray[np.float32]:
        """Read one token more of each row."""
        ...

    def move(self, source: int, target: int, seen: int) -> None:
        """Let a row change seats."""
        ...

    def forget(self) -> None:
        """Give memory back."""
        ...


@dataclass(slots=True, eq=False)
class RunningRow:
    """One row, from its prompt to its end.

    Attributes:
        prompt: Token numbers.
        max_tokens: Its cap.
        repetition_penalty: See `Decoding`; no token of the prompt is counted.
        ended: Called once, in the thread that runs the rows; must not fail.
        tokens: Of the answer so far, the end token not among them.
        watch: Says when it must stop.
        error: Why it will have no answer.
    """

    prompt: Sequence[int]
    max_tokens: int
    repetition_penalty: float
    ended: Callable[[RunningRow], object]
    tokens: list[int] = field(default_factory=list[int])
    watch: RowWatch = field(init=False)
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.watch = RowWatch(self.max_tokens)

    @property
    def weight(self) -> int:
        """Tokens at worst, prompt and answer."""
        return len(self.prompt) + self.max_tokens


class RunningRows:
    """Runs rows in a thread of its own. Rows beyond the seats or the tokens wait, in order of arrival.

    Args:
        decoder: With so many seats; nobody else may use it.
        end: The end token's number.
        seats: Most rows that run.
        positions: Most tokens of a row at worst.
        max_tokens: Most that the rows that run may weigh together.
    """

    def __init__(self, decoder: Decoder, *, end: int, seats: int, positions: int, max_tokens: int) -> None:
        self._decoder = decoder
        self._end = end
        self._seats = seats
        self._positions = positions
        self._max_tokens = max_tokens
        self._running: list[RunningRow] = []  # by seat
        self._said = np.zeros((seats, positions), np.int64)
        self._coming: deque[RunningRow] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="running-rows", daemon=True)
        self._thread.start()

    def add(self, rows: Sequence[RunningRow]) -> None:
        """Let rows join those that run. Safe from any thread.

        Raises:
            ValueError: A row is heavier than a seat may be.
            RuntimeError: It is closed.
        """
        if heavy := next((row for row in rows if row.weight > self._positions), None):
            raise ValueError(f"a row takes up to {heavy.weight} tokens and a seat keeps {self._positions}")
        with self._changed:
            if self._closed:
                raise RuntimeError("the model is closed")
            self._coming += rows
            self._changed.notify()

    def close(self) -> None:
        """End the thread, and with an error whatever runs or waits."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _serve(self) -> None:
        try:
            while self._wait():
                try:
                    self._join()
                    self._step()
                except Exception as error:  # noqa: BLE001 - whatever the runtime raises belongs to the rows
                    self._fail(0, error)
        finally:
            with self._changed:
                self._closed = True
                self._running += self._coming
                self._coming.clear()
            self._fail(0, RuntimeError("the model was closed"))

    def _wait(self) -> bool:
        """Until there is something to run; False once closed."""
        with self._changed:
            rests = not self._changed.wait_for(self._wanted, timeout=_REST_AFTER_S)
        if rests:
            try:
                self._decoder.forget()
            except Exception:
                LOG.exception("memory of a model at rest cannot be given back")
        with self._changed:
            self._changed.wait_for(self._wanted)
            return not self._closed

    def _wanted(self) -> bool:
        return bool(self._running or self._coming or self._closed)

    def _join(self) -> None:
        """Seat those who come, as many as are read at once."""
        first = len(self._running)
        weight = sum(row.weight for row in self._running)
        longest = 0
        with self._changed:
            while self._coming and len(self._running) < self._seats:
                row = self._coming[0]
                longest = max(longest, len(row.prompt))
                read = longest * (len(self._running) - first + 1)
                weight += row.weight
                # One alone is taken whatever it weighs, and read however long it is.
                if (self._running and weight > self._max_tokens) or (read > longest and read > _READ_AT_ONCE):
                    break
                self._running.append(self._coming.popleft())
        if coming := self._running[first:]:
            try:
                tokens = self._decoder.read(first, [row.prompt for row in coming]).argmax(axis=1)
            except Exception as error:  # noqa: BLE001 - those who run already have nothing to do with it
                self._fail(first, error)
            else:
                self._said[first : first + len(coming)] = tokens[:, None]
                self._take(first, tokens)

    def _step(self) -> None:
        if not self._running:
            return
        last = [row.tokens[-1] for row in self._running]
        seen = [len(row.prompt) + len(row.tokens) - 1 for row in self._running]
        scores = self._decoder.step(last, seen)
        self._penalise(scores)
        self._take(0, scores.argmax(axis=1))

    def _penalise(self, scores: NDArray[np.float32]) -> None:
        """Of each row the tokens that it has said; each place beyond its end names its first one again."""
        seats = np.arange(len(self._running))[:, None]
        said = self._said[: len(seats), : max(len(row.tokens) for row in self._running)]
        penalties = np.array([[row.repetition_penalty] for row in self._running], np.float32)
        old = scores[seats, said]
        scores[seats, said] = np.where(old < 0, old * penalties, old / penalties)

    def _take(self, first: int, tokens: NDArray[np.int64]) -> None:
        """The next token of each row from a seat on; from the last seat, as those that move are of higher ones."""
        for seat in range(len(self._running) - 1, first - 1, -1):
            row, token = self._running[seat], int(tokens[seat - first])
            if token != self._end:
                self._said[seat, len(row.tokens)] = token
                row.tokens.append(token)
                if not row.watch.stop(token):
                    continue
            self._leave(seat)

    def _leave(self, seat: int) -> None:
        """End a row; the one of the last seat takes its place."""
        row, last = self._running[seat], self._running.pop()
        if last is not row:
            self._running[seat] = last
            self._said[seat] = self._said[len(self._running)]
            self._decoder.move(len(self._running), seat, len(last.prompt) + len(last.tokens) - 1)
        row.ended(row)

    def _fail(self, first: int, error: Exception) -> None:
        """End the rows from a seat on."""
        rows = self._running[first:]
        del self._running[first:]
        for row in rows:
            row.error = error
            row.ended(row)
