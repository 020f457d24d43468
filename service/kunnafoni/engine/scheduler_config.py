"""The numbers that shape batches and bound queues. `fair_queue` and `batcher` use them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerConfig:
    """How sequences become batches.

    A sequence's *token cost* is the most tokens that it may come to hold: prompt plus output cap, times beams.

    Attributes:
        max_batch_tokens: Token budget of a batch: its sequences times the highest token cost among them. A sequence
            with a higher cost is refused. With continuous batching, the budget of the running sequences, and again as
            much for jobs.
        max_batch_sequences: Most sequences in a batch. With continuous batching, most KV-cache slots in use, one per
            hypothesis of a beam, and again as many for jobs.
        max_wait_ms: How long a model that has become free waits for more sequences while less than a batch is queued,
            so that requests which were answered last can submit again; 0 is off, and continuous batching does not wait.
            There is no wait if the model was idle for longer, or if its last batch served a single request and no other
            request is queued.
        window_batches: A batch is chosen among the sequences of the next so many batches in fair order. A larger window
            finds sequences of more equal length; a smaller one keeps closer to the fair order.
        max_queue_tokens: Most tokens that an interactive request may find queued before it; it is refused otherwise.
            Shares are fair, so of every other request only as many tokens count as the new one has itself: one line is
            not refused because of an archive, and an archive is admitted if little else is queued. The queue holds
            little more than the largest request and this.
        batches_per_job_batch: While interactive requests and jobs both wait, one batch in this many is for jobs. With
            continuous batching this holds only while other models wait for the processor; otherwise both run, and the
            backend divides the time.
    """

    max_batch_tokens: int = 8192
    max_batch_sequences: int = 64
    max_wait_ms: float = 4.0
    window_batches: int = 16
    max_queue_tokens: int = 14_000
    batches_per_job_batch: int = 8

    def __post_init__(self) -> None:
        counts = (self.max_batch_tokens, self.max_batch_sequences, self.window_batches, self.batches_per_job_batch)
        if min(counts) < 1:
            raise ValueError(
                "max_batch_tokens, max_batch_sequences, window_batches and batches_per_job_batch are at least 1"
            )
        if self.max_wait_ms < 0:
            raise ValueError("max_wait_ms is at least 0")
        if self.max_queue_tokens < self.max_batch_tokens:
            raise ValueError("max_queue_tokens is at least max_batch_tokens")

    @property
    def window_tokens(self) -> int:
        """Token cost of the sequences among which a batch is chosen; jobs beyond it wait outside the queue."""
        return self.window_batches * self.max_batch_tokens

    @property
    def window_sequences(self) -> int:
        """Most sequences among which a batch is chosen."""
        return self.window_batches * self.max_batch_sequences
