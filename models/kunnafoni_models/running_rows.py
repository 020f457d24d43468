"""Rows that run together, each from when it comes to when it ends (Yu et al. 2022, Orca).

At every step each gets a token, and whoever has come joins in; of a row that is searched by beams every hypothesis has
a seat. It knows when rows join and what they weigh. `seats` chooses their tokens and ends them.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from kunnafoni_models.seats import Seats

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kunnafoni_models.seats import Decoder, RunningRow

LOG = logging.getLogger(__name__)
# Prompt tokens that are read between two steps: more make those who run wait, and are read no faster (0.2 ms each from
# 140 on, 2 cores, 2026-11-27).
_READ_AT_ONCE = 320
# When nothing has run for so long, what the seats keep is given back.
_REST_AFTER_S = 2.0


class RunningRows:
    """Runs rows in a thread of its own. Rows beyond the seats or the tokens wait, in order of arrival.

    Args:
        decoder: With so many seats; nobody else may use it.
        end: The end token's number.
        seats: Most rows that run, or hypotheses of rows.
        positions: Most tokens of a row at worst.
        max_tokens: Most that the rows that run may weigh together.
    """

    def __init__(self, decoder: Decoder, *, end: int, seats: int, positions: int, max_tokens: int) -> None:
        self._running = Seats(decoder, end=end, seats=seats, positions=positions)
        self._seats = seats
        self._positions = positions
        self._max_tokens = max_tokens
        self._coming: deque[RunningRow] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="running-rows", daemon=True)
        self._thread.start()

    def add(self, rows: Sequence[RunningRow]) -> None:
        """Let rows join those that run. Safe from any thread.

        Raises:
            ValueError: A row is heavier than a seat may be, or its beam wider than all seats.
            RuntimeError: It is closed.
        """
        for row in rows:
            if row.positions > self._positions:
                raise ValueError(f"a row takes up to {row.positions} tokens and a seat keeps {self._positions}")
            if row.seats > self._seats:
                raise ValueError(f"a beam has {row.seats} hypotheses and there are {self._seats} seats")
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
                    if self._running:
                        self._running.step()
                except Exception as error:  # noqa: BLE001 - whatever the runtime raises belongs to the rows
                    _fail(self._running.clear(), error)
        finally:
            with self._changed:
                self._closed = True
                rows = [*self._running.clear(), *self._coming]
                self._coming.clear()
            _fail(rows, RuntimeError("the model was closed"))

    def _wait(self) -> bool:
        """Until there is something to run; False once closed."""
        with self._changed:
            rests = not self._changed.wait_for(self._wanted, timeout=_REST_AFTER_S)
        if rests:
            try:
                self._running.forget()
            except Exception:
                LOG.exception("memory of a model at rest cannot be given back")
        with self._changed:
            self._changed.wait_for(self._wanted)
            return not self._closed

    def _wanted(self) -> bool:
        return bool(self._running or self._coming or self._closed)

    def _join(self) -> None:
        """Seat those who come, as many as are read at once."""
        if coming := self._next():
            try:
                scores = self._running.read(coming)
            except Exception as error:  # noqa: BLE001 - those who run already have nothing to do with it
                _fail(coming, error)
            else:
                self._running.take(coming, scores)

    def _next(self) -> list[RunningRow]:
        coming: list[RunningRow] = []
        seats, weight, longest = len(self._running), self._running.weight, 0
        with self._changed:
            while self._coming:
                row = self._coming[0]
                seats += row.seats
                weight += row.weight
                longest = max(longest, len(row.prompt))
                read = longest * (len(coming) + 1)
                # One alone is taken whatever it weighs, and read however long it is.
                if (self._running or coming) and (seats > self._seats or weight > self._max_tokens):
                    break
                if coming and read > _READ_AT_ONCE:
                    break
                coming.append(self._coming.popleft())
        return coming


def _fail(rows: Iterable[RunningRow], error: Exception) -> None:
    for row in rows:
        row.error = error
        row.ended(row)
