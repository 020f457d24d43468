"""The numbers that shape batches and bound queues. It only names and checks them; `fair_queue` and `batcher` obey."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How rows become batches. A row's *weight* is its tokens at worst: prompt plus output cap, times beams.

    Attributes:
        batch_tokens: Most that the rows of a batch times their heaviest weight may be. A heavier row is refused.
        batch_rows: Most rows in a batch; of a model that rows join, most that run at once, a beam as many as its width,
            and as many more of jobs; `batch_tokens` is doubled in the same way.
        max_wait_ms: How long a model that has become free waits for company while less than a batch is queued, so that
            callers who were answered last can come back; 0 is off, and rows that join do not wait. A model that was
            idle for longer, or whose worker had one caller at its last batch and none waiting after it, runs at once
            what comes.
        window_batches: A batch is chosen among the rows that are due within this many batches. More finds company of
            more even length; less keeps closer to the fair order.
        queue_tokens: Most weight that an interactive request may find before it; otherwise it is refused. Shares are
            fair, so of each caller that waits as much counts as the request itself weighs, and no more: a line is not
            refused for an archive, and an archive gets in when little else waits. The queue holds little more than the
            largest request and this.
        job_turn: While interactive callers and jobs both wait, one batch in this many is for jobs. A model that rows
            join does so only while other models wait for their turn; else it runs both, and shares time out itself.
    """

    batch_tokens: int = 8192
    batch_rows: int = 64
    max_wait_ms: float = 4.0
    window_batches: int = 16
    queue_tokens: int = 14_000
    job_turn: int = 8

    def __post_init__(self) -> None:
        if min(self.batch_tokens, self.batch_rows, self.window_batches, self.job_turn) < 1:
            raise ValueError("batch_tokens, batch_rows, window_batches and job_turn are at least 1")
        if self.max_wait_ms < 0:
            raise ValueError("max_wait_ms is at least 0")
        if self.queue_tokens < self.batch_tokens:
            raise ValueError("queue_tokens is at least batch_tokens")

    @property
    def window_tokens(self) -> int:
        """Weight of the rows among which a batch is chosen. Jobs beyond it wait outside, where they are no worse."""
        return self.window_batches * self.batch_tokens

    @property
    def window_rows(self) -> int:
        """Most rows among which a batch is chosen."""
        return self.window_batches * self.batch_rows
