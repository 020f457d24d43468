"""CTranslate2's int8 grid: every row of a matrix has its own step, a 127th of its largest absolute value.

What it stores for a row w is `round(w * scale)` with `scale = 127 / max|w|`, rounded half to even
(`ctranslate2/specs/model_spec.py`). A matrix on the grid is one that this changes no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

# A row of zeros has no step; this one keeps it zeros.
_SMALLEST = 1e-12
_LARGEST = 127.0
# What is this near to a point, in steps, is on it but for float32's rounding.
_NEARLY = 1e-3


def on_grid(matrix: Tensor) -> Tensor:
    """`matrix` [rows, columns] with every weight at the nearest point of its row's grid."""
    scales = _LARGEST / matrix.abs().amax(1, keepdim=True).clamp_min(_SMALLEST)
    return (matrix * scales).round() / scales


def dithered(matrix: Tensor, draw: torch.Generator) -> Tensor:
    """A copy of a matrix on the grid, every weight moved by up to half a step, to where it still rounds to what it was.

    A small change then reaches as many weights as it is large (stochastic rounding, drawn once), where from the points
    themselves it would reach none. The largest weights, which the step is measured by, stay; so does a matrix that is
    not on the grid.
    """
    steps = matrix.abs().amax(1, keepdim=True).clamp_min(_SMALLEST) / _LARGEST
    counts = matrix / steps
    if (counts - counts.round()).abs().amax() > _NEARLY:
        return matrix.clone()
    moved = (torch.rand(matrix.shape, generator=draw) - 0.5) * (1 - 2 * _NEARLY)
    return torch.where(counts.abs() > _LARGEST - 1 + _NEARLY, matrix, matrix + moved * steps)
