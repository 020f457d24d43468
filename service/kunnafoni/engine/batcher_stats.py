"""Counts what a batcher does and measures its drain rate. Plain numbers: it knows no metrics library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni.engine.fair_queue import QueuedSequence

# Decay of the drain rate per batch: it averages about the last ten batches, which is smooth, and right again a minute
# after the load has changed.
DECAY = 0.9
# Until the first batch is done nothing is known; afterwards no request is asked to retry later than it cares to wait.
UNKNOWN_DRAIN_TIME_S = 1.0
MIN_DRAIN_TIME_S, MAX_DRAIN_TIME_S = 0.1, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatcherStats:
    """A snapshot. Queue sizes and the rate are current values, the others count since the start.

    Attributes:
        queued_sequences: Sequences that wait; a shared one counts once.
        queued_tokens: Their token cost.
        running_sequences: Sequences on the model.
        batches: Batches given to the model, failed ones included.
        sequences: Sequences in these batches.
        padding_share: Share of padding in these batches' sequences times highest token cost, 0 to 1.
        failed_batches: Batches that the model failed; each unfinished sequence was tried again in a smaller one.
        shared_sequences: Sequences that joined an equal one in flight instead of running themselves.
        dropped_sequences: Sequences that left the queue because no request waited for them any more.
        refused_requests: Requests that found the queue full.
        drain_tokens_per_s: Token cost that the model processes per second under full load, waits for the processor
            included; 0 if unknown. With continuous batching the recent rate, even if the load was not full.
    """

    queued_sequences: int
    queued_tokens: int
    running_sequences: int
    batches: int
    sequences: int
    padding_share: float
    failed_batches: int
    shared_sequences: int
    dropped_sequences: int
    refused_requests: int
    drain_tokens_per_s: float


@dataclass(slots=True)
class RunningLoad:
    """The unfinished sequences on the model.

    Attributes:
        sequences: How many there are.
        slots: How many KV-cache slots they occupy.
        tokens: Their token cost.
    """

    sequences: int = 0
    slots: int = 0
    tokens: int = 0

    def add(self, sequence: QueuedSequence, count: int = 1) -> None:
        """Count a sequence that starts, or with -1 one that ends."""
        self.sequences += count
        self.slots += count * sequence.slots
        self.tokens += count * sequence.token_cost


class StatsCollector:
    """The counters behind `BatcherStats`, which explains them.

    Args:
        parallel: Batches that the model runs at the same time.
        slots: With continuous batching, KV-cache slots of interactive sequences, and again as many for jobs; else 0.

    Attributes:
        foreground, background: What runs.
    """

    def __init__(self, parallel: int, *, slots: int = 0) -> None:
        self._parallel = 1 if slots else parallel
        self._slots = slots
        self.failed_batches = 0
        self.shared_sequences = 0
        self.dropped_sequences = 0
        self.refused_requests = 0
        self._batches = 0
        self._sequences = 0
        self.foreground = RunningLoad()
        self.background = RunningLoad()
        self._last_s = 0.0
        self._tokens = 0
        self._padded_tokens = 0
        self._recent_tokens = 0.0
        self._recent_s = 0.0

    def batch_started(self, sequences: Sequence[QueuedSequence], now_s: float) -> None:
        """Count a batch."""
        token_costs = [sequence.token_cost for sequence in sequences]
        self._count_busy_time(now_s)
        for sequence in sequences:
            self._load_of(sequence).add(sequence)
        self._batches += 1
        self._sequences += len(sequences)
        self._tokens += sum(token_costs)
        self._padded_tokens += len(sequences) * max(token_costs)

    def waited_for_processor(self, waited_s: float) -> None:
        """Count the time for which other models had the processor before a batch."""
        self._recent_s += waited_s

    def sequence_ended(self, sequence: QueuedSequence, now_s: float, *, finished: bool = True) -> None:
        """Count a sequence of a batch that has finished, or will be tried again in another batch."""
        self._count_busy_time(now_s)
        self._load_of(sequence).add(sequence, -1)
        if self._slots:
            decay = DECAY ** (1 / self._slots)
            self._recent_tokens = decay * self._recent_tokens + sequence.token_cost * finished
            self._recent_s *= decay

    def batch_ended(self, tokens: int, elapsed_s: float) -> None:
        """Count the time of a batch; `tokens` is the token cost of its finished sequences."""
        if not self._slots:
            self._recent_tokens = DECAY * self._recent_tokens + tokens
            self._recent_s = DECAY * self._recent_s + elapsed_s

    def _load_of(self, sequence: QueuedSequence) -> RunningLoad:
        return self.background if sequence.background else self.foreground

    @property
    def running_sequences(self) -> int:
        """Unfinished sequences on the model."""
        return self.foreground.sequences + self.background.sequences

    def _count_busy_time(self, now_s: float) -> None:
        """With continuous batching batches overlap, so the time counts during which anything ran."""
        if self._slots and self.running_sequences:
            self._recent_s += now_s - self._last_s
        self._last_s = now_s

    @property
    def drain_tokens_per_s(self) -> float:
        """See `BatcherStats`."""
        return self._parallel * self._recent_tokens / self._recent_s if self._recent_s > 0 else 0.0

    def drain_time_s(self, tokens: int) -> float:
        """Time until the queue is shorter by `tokens`."""
        rate = self.drain_tokens_per_s
        return min(max(tokens / rate, MIN_DRAIN_TIME_S), MAX_DRAIN_TIME_S) if rate > 0 else UNKNOWN_DRAIN_TIME_S

    def snapshot(self, *, queued_sequences: int, queued_tokens: int) -> BatcherStats:
        """Take a snapshot."""
        return BatcherStats(
            queued_sequences=queued_sequences,
            queued_tokens=queued_tokens,
            running_sequences=self.running_sequences,
            batches=self._batches,
            sequences=self._sequences,
            padding_share=1 - self._tokens / self._padded_tokens if self._padded_tokens else 0.0,
            failed_batches=self.failed_batches,
            shared_sequences=self.shared_sequences,
            dropped_sequences=self.dropped_sequences,
            refused_requests=self.refused_requests,
            drain_tokens_per_s=self.drain_tokens_per_s,
        )
