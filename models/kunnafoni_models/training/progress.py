"""What the trainer tells while it runs and when it is done. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands after a step.

    Attributes:
        step: Steps done, over all resumed runs; 0 for the evaluation before the first.
        tokens: Tokens trained on, padding not counted, over all resumed runs.
        tokens_per_second: Over the last steps of this process; 0.0 before the first.
        loss: Mean of the last steps, in nats a target token; None before the first step.
        rate: Share of the peak learning rate that the step ran at.
        share: How much of the run is done, 0.0 to 1.0; always 0.0 for a run without end.
        seconds_left: Expected time to the end; None for a run without end, or before it can be told.
        on_int8_grid: Whether weights are rounded to the int8 grid by now.
        dev: Negative log-likelihood, in nats a character of the target, for each name of `dev_rows`; None if this step
            was not evaluated.
    """

    step: int
    tokens: int
    tokens_per_second: float
    loss: float | None
    rate: float
    share: float
    seconds_left: float | None
    on_int8_grid: bool = False
    dev: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        run: The run's folder; `export` reads it.
        finished: True at the end of the schedule; False if it was told to stop.
        steps, tokens, seconds: Over all resumed runs.
        rows: Rows trained on.
        rows_too_long: Rows left out because they are longer than `max_tokens`.
        precision: Of the matrix products, `bfloat16` or `float32`.
        dev_before: Negative log-likelihoods of the starting weights, as `Progress.dev`; empty without dev rows.
        dev_after: The same at the end.
        kept: The share of the change that was kept; 1.0 for all of it.
    """

    run: Path
    finished: bool
    steps: int
    tokens: int
    seconds: float
    rows: int
    rows_too_long: int
    precision: str
    dev_before: Mapping[str, float] = field(default_factory=dict[str, float])
    dev_after: Mapping[str, float] = field(default_factory=dict[str, float])
    kept: float = 1.0
