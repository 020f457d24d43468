"""The few calls of torch and safetensors that their libraries leave untyped, with types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import safetensors.torch
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    Function = TypeVar("Function", bound=Callable[..., Any])

_TORCH = cast("Any", torch)
_SAFETENSORS = cast("Any", safetensors.torch)


def compiled(function: Function, *, wanted: bool) -> Function:
    """`function` compiled once for all shapes if that is `wanted`, else as it is."""
    return _TORCH.compile(function, dynamic=True) if wanted else function


def from_numpy(values: NDArray[Any]) -> Tensor:
    """A tensor over the memory of `values`."""
    return _TORCH.from_numpy(values)


def split(tensor: Tensor, sizes: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Views of runs of rows."""
    return cast("Any", tensor).split(sizes)


def backward(tensor: Tensor, gradient: Tensor) -> None:
    """Collect gradients on what `tensor` was computed from."""
    cast("Any", tensor).backward(gradient)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Everything in a safetensors file."""
    return _SAFETENSORS.load_file(path)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], *, metadata: Mapping[str, str]) -> None:
    """Write a safetensors file."""
    _SAFETENSORS.save_file(dict(tensors), path, metadata=dict(metadata))
