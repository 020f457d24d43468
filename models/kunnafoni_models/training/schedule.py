"""How long a run is, how far it is, and at what rate it trains. Pure functions of the options, and rows or numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from kunnafoni_models.training.batches import epoch_order

if TYPE_CHECKING:
    from kunnafoni_models.training.encoding import EncodedRows
    from kunnafoni_models.training.options import TrainingOptions


def in_steps(options: TrainingOptions, rows: EncodedRows) -> TrainingOptions:
    """`options` with their `epochs`, if any, as a number of steps; all are taken to be as long as the first."""
    if options.epochs is None:
        return options
    first = epoch_order(rows, batch_tokens=options.batch_tokens, seed=options.seed, epoch=0)
    steps = math.ceil(options.epochs * len(first))
    return replace(options, steps=min(steps, options.steps or steps))


def share_done(options: TrainingOptions, *, steps: int, seconds: float) -> float:
    """How much of the run is done after `steps` and `seconds`, 0.0 to 1.0, by whichever limit is nearer.

    A run without limits is never done: always 0.0.
    """
    by_time = seconds / (60 * options.minutes) if options.minutes else 0.0
    by_steps = steps / options.steps if options.steps else 0.0
    return min(1.0, max(by_time, by_steps))


def rate(options: TrainingOptions, *, steps: int, share: float) -> float:
    """Share of the peak learning rate for the step after `steps` steps, when `share` of the run is done."""
    falling = {"cosine": 0.5 * (1 + math.cos(math.pi * share)), "decay": 1 - share, "constant": 1.0}[options.schedule]
    warm = min(1.0, (steps + 1) / options.warmup_steps) if options.warmup_steps else 1.0
    return warm * (options.floor + (1 - options.floor) * falling)


def on_int8_grid(options: TrainingOptions, share: float) -> bool:
    """Whether a step is trained on the int8 grid when `share` of the run is done."""
    return options.schedule != "constant" and options.int8_share > 0 and share >= 1 - options.int8_share
