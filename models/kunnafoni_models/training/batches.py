"""The order in which rows are trained on: batches by token budget, of rows of like length.

The order of an epoch follows from the seed and the epoch's number alone, so that a place is two numbers and a resumed
run goes on exactly where it was. It knows lengths and chances, not what the rows say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kunnafoni_models.training.typed_torch import from_numpy

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray
    from torch import Tensor

    from kunnafoni_models.training.encoding import EncodedRows

    Order = list[NDArray[np.int64]]

# Rows are sorted by length among so many at a time: enough that a batch has hardly any padding, few enough that
# batches still differ from epoch to epoch.
_WINDOW_ROWS = 12_000
# Lengths are rounded up to a multiple, so that there are fewer shapes to compile and allocate for.
_LENGTHS_IN_STEPS_OF = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the data: the next batch is number `batch` of the epoch `epoch`, both from 0."""

    epoch: int = 0
    batch: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """One rectangle of rows, filled up on the right.

    Attributes:
        tokens: int64 [rows, length].
        positions: int64 [targets]; where in the flattened rectangle a token is predicted that counts.
        targets: int64 [targets]; which token it is.
        row_tokens: Tokens without padding.
    """

    tokens: Tensor
    positions: Tensor
    targets: Tensor
    row_tokens: int


def batches(
    rows: EncodedRows, *, batch_tokens: int, seed: int, place: Place = Place()
) -> Iterator[tuple[NDArray[np.int64], Place]]:
    """Batches from `place` on, without end: the numbers of their rows, and the place of the next batch."""
    while True:
        order = epoch_order(rows, batch_tokens=batch_tokens, seed=seed, epoch=place.epoch)
        for number in range(place.batch, len(order)):
            last = number + 1 == len(order)
            yield order[number], Place(place.epoch + 1) if last else Place(place.epoch, number + 1)
        place = Place(place.epoch + 1)


def epoch_order(rows: EncodedRows, *, batch_tokens: int, seed: int, epoch: int) -> Order:
    """The batches of one epoch: a row of chance 0.3 is in it with that probability, one of chance 2.0 twice.

    A batch's rows times its longest row, rounded up, are at most `batch_tokens`, if no row alone has more.
    """
    draw = np.random.default_rng([seed, epoch])
    times = np.floor(rows.chances).astype(np.int64)
    times += draw.random(len(rows)) < rows.chances - times
    taken = draw.permutation(np.repeat(np.arange(len(rows)), times))
    widths = _rounded(rows.lengths)
    order: Order = []
    for start in range(0, len(taken), _WINDOW_ROWS):
        window = taken[start : start + _WINDOW_ROWS]
        window = window[np.argsort(widths[window], kind="stable")]
        order += _cut(window, widths[window], batch_tokens)
    return [order[number] for number in draw.permutation(len(order))]


def rectangle(rows: EncodedRows, numbers: NDArray[np.int64], *, device: torch.device, with_end: bool = True) -> Batch:
    """The rows `numbers` as one batch on `device`; without the end token among the targets if `with_end` is off."""
    lengths = rows.lengths[numbers]
    width = int(_rounded(lengths).max())
    tokens = np.zeros((len(numbers), width), np.int64)
    positions: list[NDArray[np.int64]] = []
    for row, number in enumerate(numbers):
        start, end = rows.starts[number], rows.starts[number + 1]
        tokens[row, : end - start] = rows.tokens[start:end]
        first, last = int(rows.prompt_lengths[number]), int(end - start) - (not with_end)
        positions.append(np.arange(first, last) + row * width)
    predicted = np.concatenate(positions)
    return Batch(
        from_numpy(tokens).to(device),
        from_numpy(predicted - 1).to(device),
        from_numpy(tokens.reshape(-1)[predicted]).to(device),
        int(lengths.sum()),
    )


def _rounded(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return -(-lengths // _LENGTHS_IN_STEPS_OF) * _LENGTHS_IN_STEPS_OF


def _cut(window: NDArray[np.int64], widths: NDArray[np.int64], batch_tokens: int) -> Order:
    """`window`, sorted by width, cut into runs that fit the budget."""
    cut: Order = []
    start = 0
    for end in range(1, len(window) + 1):
        if end == len(window) or widths[end] * (end + 1 - start) > batch_tokens:
            cut.append(window[start:end])
            start = end
    return cut
