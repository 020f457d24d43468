"""CTranslate2's int8 grid: every row of a matrix has its own step, a 127th of its largest absolute value.

What it stores for a row w is `round(w * scale)` with `scale = 127 / max|w|`, rounded half to even
(`ctranslate2/specs/model_spec.py`). A matrix on the grid is one that this changes no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# A row of zeros has no step; this one keeps it zeros.
_SMALLEST = 1e-12
_LARGEST = 127.0


def on_grid(matrix: Tensor) -> Tensor:
    """`matrix` [rows, columns] with every weight at the nearest point of its row's grid."""
    scales = _LARGEST / matrix.abs().amax(1, keepdim=True).clamp_min(_SMALLEST)
    return (matrix * scales).round() / scales
