"""Counts what an engine does and measures how fast it drains. Plain numbers: it knows no metrics library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni.engine.fair_queue import Row

# The drain rate looks back over about the last ten batches: smooth, and still right a minute after the load changed.
MEMORY = 0.9
# Until the first batch is done nothing is known; afterwards no caller is sent away for longer than it cares to wait.
UNKNOWN_DELAY_S = 1.0
SHORTEST_DELAY_S, LONGEST_DELAY_S = 0.1, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatcherStats:
    """A snapshot. Queue sizes and the rate are of now, the others count since the start.

    Attributes:
        queued_rows: Rows that wait, shared ones once.
        queued_tokens: Their weight.
        running_rows: Rows on the model.
        batches: Batches given to the model, also those that failed.
        rows: Rows in them.
        padding_share: Part of these batches' rows times heaviest weight that was padding, 0 to 1.
        failed_batches: Batches that the model failed; each row that had no answer yet was tried in a smaller one.
        shared_rows: Rows that joined an equal row in flight instead of running themselves.
        dropped_rows: Rows that left the queue because nobody waited for them any more.
        refused_requests: Requests that found the queue full.
        drain_tokens_per_s: Weight that the model works off in a second at full work, its turns with other models
            included; 0 if that is not known yet. Where rows join, as it has been of late, be that less than full work.
    """

    queued_rows: int
    queued_tokens: int
    running_rows: int
    batches: int
    rows: int
    padding_share: float
    failed_batches: int
    shared_rows: int
    dropped_rows: int
    refused_requests: int
    drain_tokens_per_s: float


@dataclass(slots=True)
class Running:
    """Rows on the model that have no answer yet.

    Attributes:
        rows: How many.
        seats: How many they are where their number is bounded.
        tokens: Their weight.
    """

    rows: int = 0
    seats: int = 0
    tokens: int = 0

    def add(self, row: Row, number: int = 1) -> None:
        """Count a row that begins, or with -1 one that ends."""
        self.rows += number
        self.seats += number * row.seats
        self.tokens += number * row.weight


class Meter:
    """The counters behind `BatcherStats`, which explains them.

    Args:
        parallel: Batches that the model runs at once.
        seats: If rows join those that run: how many run at once, and as many in the background. Else 0.

    Attributes:
        foreground, background: What runs.
    """

    def __init__(self, parallel: int, *, seats: int = 0) -> None:
        self._parallel = 1 if seats else parallel
        self._seats = seats
        self.failed_batches = 0
        self.shared_rows = 0
        self.dropped_rows = 0
        self.refused_requests = 0
        self._batches = 0
        self._rows = 0
        self.foreground = Running()
        self.background = Running()
        self._last_s = 0.0
        self._tokens = 0
        self._padded_tokens = 0
        self._recent_tokens = 0.0
        self._recent_s = 0.0

    def batch_begins(self, rows: Sequence[Row], now_s: float) -> None:
        """Count a batch."""
        weights = [row.weight for row in rows]
        self._pass_time(now_s)
        for row in rows:
            self._running(row).add(row)
        self._batches += 1
        self._rows += len(rows)
        self._tokens += sum(weights)
        self._padded_tokens += len(rows) * max(weights)

    def batch_waited(self, waited_s: float) -> None:
        """Learn that a batch that ran afterwards waited so long for its turn, which others on the processor had."""
        self._recent_s += waited_s

    def row_ends(self, row: Row, now_s: float, *, answered: bool = True) -> None:
        """Learn that a row of a batch was answered, or will be tried again in another."""
        self._pass_time(now_s)
        self._running(row).add(row, -1)
        if self._seats:
            memory = MEMORY ** (1 / self._seats)
            self._recent_tokens = memory * self._recent_tokens + row.weight * answered
            self._recent_s *= memory

    def batch_ends(self, tokens: int, elapsed_s: float) -> None:
        """Learn that a batch took this time; `tokens` is the weight of the rows that were answered."""
        if not self._seats:
            self._recent_tokens = MEMORY * self._recent_tokens + tokens
            self._recent_s = MEMORY * self._recent_s + elapsed_s

    def _running(self, row: Row) -> Running:
        return self.background if row.background else self.foreground

    @property
    def running_rows(self) -> int:
        """Rows on the model that have no answer yet."""
        return self.foreground.rows + self.background.rows

    def _pass_time(self, now_s: float) -> None:
        """Where rows join, no batch has a time of its own: what counts is how long anything ran."""
        if self._seats and self.running_rows:
            self._recent_s += now_s - self._last_s
        self._last_s = now_s

    @property
    def drain_tokens_per_s(self) -> float:
        """See `BatcherStats`."""
        return self._parallel * self._recent_tokens / self._recent_s if self._recent_s > 0 else 0.0

    def delay_s(self, tokens: int) -> float:
        """Time until the queue is shorter by `tokens`."""
        rate = self.drain_tokens_per_s
        return min(max(tokens / rate, SHORTEST_DELAY_S), LONGEST_DELAY_S) if rate > 0 else UNKNOWN_DELAY_S

    def stats(self, *, queued_rows: int, queued_tokens: int) -> BatcherStats:
        """Take a snapshot."""
        return BatcherStats(
            queued_rows=queued_rows,
            queued_tokens=queued_tokens,
            running_rows=self.running_rows,
            batches=self._batches,
            rows=self._rows,
            padding_share=1 - self._tokens / self._padded_tokens if self._padded_tokens else 0.0,
            failed_batches=self.failed_batches,
            shared_rows=self.shared_rows,
            dropped_rows=self.dropped_rows,
            refused_requests=self.refused_requests,
            drain_tokens_per_s=self.drain_tokens_per_s,
        )
