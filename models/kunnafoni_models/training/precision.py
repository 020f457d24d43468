"""What this machine trains best with: device, number format of the matrix products, compiler.

bfloat16 products pay where the processor has them (AMX, AVX-512 BF16, a GPU) and are emulated, many times slower, where
it has not. Flags do not tell how a library uses them, so the products themselves are timed.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from kunnafoni_models.machine.cpu_cores import usable_cores
from kunnafoni_models.training.errors import OptionsError

if TYPE_CHECKING:
    from kunnafoni_models.training.options import PrecisionWish, TrainingOptions

# bfloat16 must be at least so many times as fast: a machine that emulates it must never take it by a hair.
_WORTH_IT = 1.15
_TRIALS = 5
# torch's compiler for processors asks for one of these, or for what CXX names.
_CPP_COMPILERS = ("g++", "clang++", "c++")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how matrices are multiplied.

    Attributes:
        device: Of all tensors.
        dtype: Of matrix products, `torch.bfloat16` or `torch.float32`.
        compile: Whether layers are compiled.
    """

    device: torch.device
    dtype: torch.dtype
    compile: bool

    @property
    def precision(self) -> PrecisionWish:
        """The number format by its name in the options."""
        return "bfloat16" if self.dtype == torch.bfloat16 else "float32"


def choose_machine(options: TrainingOptions) -> Machine:
    """Choose what `options` leave to be chosen, and set the number of threads.

    Raises:
        OptionsError: The options want a GPU or a compiler and there is none.
    """
    wanted = options.device
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise OptionsError("device is 'cuda' and torch finds no GPU: leave it at auto")
    if options.compile and not can_compile():
        raise OptionsError("compile is on and there is no C++ compiler: install g++, or leave it at auto")
    torch.set_num_threads(options.threads or usable_cores())
    device = torch.device(wanted)
    if options.precision == "auto":
        dtype = torch.bfloat16 if bfloat16_is_faster(device) else torch.float32
    else:
        dtype = torch.bfloat16 if options.precision == "bfloat16" else torch.float32
    compile_pays = wanted == "cpu" and can_compile()
    return Machine(device, dtype, compile_pays if options.compile is None else options.compile)


def can_compile() -> bool:
    """Whether torch.compile finds the C++ compiler that it needs."""
    return any(shutil.which(name) for name in (os.environ.get("CXX", ""), *_CPP_COMPILERS) if name)


def bfloat16_is_faster(device: torch.device) -> bool:
    """Time a product of the trainer's kind in both formats, the best of a few tries each; a GPU is asked."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return _product_s(torch.float32) > _WORTH_IT * _product_s(torch.bfloat16)


def _product_s(dtype: torch.dtype) -> float:
    left, right = torch.ones(1024, 640, dtype=dtype), torch.ones(640, 2048, dtype=dtype)
    best = float("inf")
    for _ in range(_TRIALS):
        started = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - started)
    return best
