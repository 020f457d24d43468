"""Rows that run together, each from when it comes to when it ends (Yu et al. 2022, Orca).

At every step each gets a token, and whoever has come joins in; of a row that is searched by beams every hypothesis has
a seat. Rows in the background have seats of their own, and stand still for most of the time while others run. It knows
when rows join, what they weigh and whose step is next. `seats` chooses their tokens and ends them.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from kunnafoni_models.decoding.kv_cache_slots import KVCacheSlots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kunnafoni_models.decoding.kv_cache_slots import Decoder, DecodingSequence

LOG = logging.getLogger(__name__)
# Prompt tokens that are read between two steps: more make those who run wait, and are read no faster (0.2 ms each from
# 140 on, 2 cores, 2026-11-27).
_READ_AT_ONCE = 320
# When nothing has run in seats for so long, what they keep is given back.
_REST_AFTER_S = 2.0
# The background's part of the time while others run; as of batches where rows do not join (`Policy.job_turn`).
_BACKGROUND_SHARE = 1 / 8


@dataclass(slots=True)
class _Lane:
    """Rows that have seats and rows that come, all in the background or none.

    Attributes:
        ran_s: When it had its last step, until its seats are given back.
    """

    seats: KVCacheSlots
    coming: deque[DecodingSequence] = field(default_factory=deque["DecodingSequence"])
    ran_s: float | None = None

    def __bool__(self) -> bool:
        return bool(self.seats or self.coming)


class ContinuousBatcher:
    """Runs rows in a thread of its own. Rows beyond the seats or the tokens wait, in order of arrival.

    Args:
        decoder: With twice so many seats, the second half for the background; nobody else may use it.
        end: The end token's number.
        seats: Most rows that run, or hypotheses of rows, and as many more in the background.
        positions: Most tokens of a row at worst.
        max_tokens: Most that the rows that run may weigh together, and as much more in the background.
    """

    def __init__(self, decoder: Decoder, *, end: int, seats: int, positions: int, max_tokens: int) -> None:
        self._decoder = decoder
        self._foreground, self._background = (
            _Lane(KVCacheSlots(decoder, first=first, end=end, seats=seats, positions=positions)) for first in (0, seats)
        )
        self._owed_s = 0.0
        self._seats = seats
        self._positions = positions
        self._max_tokens = max_tokens
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="running-rows", daemon=True)
        self._thread.start()

    def add(self, rows: Sequence[DecodingSequence]) -> None:
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
            for row in rows:
                (self._background if row.background else self._foreground).coming.append(row)
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
                self._turn()
        finally:
            with self._changed:
                self._closed = True
                lanes = self._foreground, self._background
                rows = [row for lane in lanes for row in (*lane.seats.clear(), *lane.coming)]
                for lane in lanes:
                    lane.coming.clear()
            _fail(rows, RuntimeError("the model was closed"))

    def _turn(self) -> None:
        """A step of one lane: while rows wait for both, the background's when time is owed to it."""
        lane, other = self._foreground, self._background
        began_s, both = monotonic(), bool(lane and other)
        if not lane or (both and self._owed_s > 0):
            lane, other = other, lane
        try:
            self._join(lane)
            if lane.seats:
                lane.seats.step()
        except Exception as error:  # noqa: BLE001 - whatever the runtime raises belongs to the rows
            _fail(lane.seats.clear(), error)
        lane.ran_s = monotonic()
        if both:  # time and not steps, as one of all seats takes as long as five of one seat
            self._owed_s += (_BACKGROUND_SHARE - (lane is self._background)) * (lane.ran_s - began_s)
        if other.ran_s is not None and not other and lane.ran_s - other.ran_s > _REST_AFTER_S:
            _give_back(other.seats.free)
            other.ran_s = None

    def _wait(self) -> bool:
        """Until there is something to run; False once closed."""
        with self._changed:
            rests = not self._changed.wait_for(self._wanted, timeout=_REST_AFTER_S)
        if rests:
            _give_back(self._decoder.forget)
        with self._changed:
            self._changed.wait_for(self._wanted)
            return not self._closed

    def _wanted(self) -> bool:
        return bool(self._foreground or self._background or self._closed)

    def _join(self, lane: _Lane) -> None:
        """Seat those who come, as many as are read at once."""
        if coming := self._next(lane):
            try:
                scores = lane.seats.read(coming)
            except Exception as error:  # noqa: BLE001 - those who run already have nothing to do with it
                _fail(coming, error)
            else:
                lane.seats.take(coming, scores)

    def _next(self, lane: _Lane) -> list[DecodingSequence]:
        coming: list[DecodingSequence] = []
        seats, weight, longest = len(lane.seats), lane.seats.weight, 0
        with self._changed:
            while lane.coming:
                row = lane.coming[0]
                seats += row.seats
                weight += row.weight
                longest = max(longest, len(row.prompt))
                read = longest * (len(coming) + 1)
                # One alone is taken whatever it weighs, and read however long it is.
                if (lane.seats or coming) and (seats > self._seats or weight > self._max_tokens):
                    break
                if coming and read > _READ_AT_ONCE:
                    break
                coming.append(lane.coming.popleft())
        return coming


def _give_back(what: Callable[[], None]) -> None:
    try:
        what()
    except Exception:
        LOG.exception("memory of a model at rest cannot be given back")


def _fail(rows: Iterable[DecodingSequence], error: Exception) -> None:
    for row in rows:
        row.error = error
        row.ended(row)
