"""A Gemma 3 decoder on ONNX Runtime: rows have seats, and each seat keeps what its row has read.

It knows token numbers and scores. It does not know which token is chosen, or when a row ends.
"""

from __future__ import annotations

import mmap
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from kunnafoni_models.gemma.onnx_graph import Constants

_runtime: Any = onnxruntime  # has no types of its own


class Scores(NamedTuple):
    """Of what follows in each row.

    Attributes:
        values: Rows x vocabulary, up to a positive factor of each row.
        factors: Rows x 1.
    """

    values: NDArray[np.float32]
    factors: NDArray[np.float32]

    def logits(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """Of some rows, rows x vocabulary."""
        return self.values[rows] * self.factors[rows]


class GemmaDecoder:
    """Reads prompts and then token by token, many rows at a time. Not for several threads at once.

    Args:
        model: What `build_onnx_graph` makes.
        constants: The model's.
        seats: Rows that it can keep.
        threads: Of the processor.

    Attributes:
        vocabulary: Token numbers are below this.
    """

    def __init__(self, model: bytes, constants: Constants, *, seats: int, threads: int) -> None:
        self._constants = constants  # the runtime reads some of them where they lie
        options = _runtime.SessionOptions()
        options.intra_op_num_threads = threads
        if saturates():
            options.add_session_config_entry("session.x64quantprecision", "1")
        # A thread that waits for the other in busy circles is faster, and has no business to go on between two runs.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.add_external_initializers(
            list(constants), [_runtime.OrtValue.ortvalue_from_numpy(each) for each in constants.values()]
        )
        self._session = _runtime.InferenceSession(model, options, ["CPUExecutionProvider"])
        self.vocabulary: int = self._session.get_outputs()[0].shape[1]
        kept = [each for each in self._session.get_inputs() if each.name.startswith(("keys_", "values_"))]
        self._names = [each.name for each in kept]
        self._kept = _Pages((len(kept), seats, *kept[0].shape[1:]))

    def read(self, first_seat: int, prompts: Sequence[Sequence[int]]) -> Scores:
        """Seat new rows side by side."""
        lengths = np.array([len(prompt) for prompt in prompts])
        ids = np.zeros((len(prompts), lengths.max()), np.int64)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = prompt
        return self._run(first_seat, ids, seen=lengths, last=lengths - 1)

    def step(self, first_seat: int, tokens: Sequence[int], seen: Sequence[int]) -> Scores:
        """Read one token more of each of some rows side by side; `seen` are the tokens that it had read before."""
        ids = np.array(tokens, np.int64)[:, None]
        return self._run(first_seat, ids, seen=np.array(seen) + 1, last=np.zeros(len(ids), np.int64))

    def copy(self, source: int, target: int, first: int, seen: int) -> None:
        """Let one seat have read what another has, from token `first` up to `seen`."""
        self._kept.array[:, target, :, first:seen] = self._kept.array[:, source, :, first:seen]

    def trim(self, seat: int, seen: int) -> None:
        """Give back to the system what a seat keeps beyond so many tokens."""
        for heads in self._kept.array[:, seat]:
            for head in heads:
                self._kept.forget(head[seen:])

    def free(self, first_seat: int, seats: int) -> None:
        """Give back to the system the memory of some seats side by side."""
        for kept in self._kept.array:
            self._kept.forget(kept[first_seat : first_seat + seats])

    def forget(self) -> None:
        """Give back to the system the memory of all seats, and what the runtime has kept from run to run."""
        once = np.ones(1, np.int64)
        self._run(
            0, once[:, None], seen=once, last=once - 1, settings={"memory.enable_memory_arena_shrinkage": "cpu:0"}
        )
        self._kept.forget(self._kept.array)

    def _run(
        self,
        first_seat: int,
        ids: NDArray[np.int64],
        *,
        seen: NDArray[np.int64],
        last: NDArray[np.int64],
        settings: Mapping[str, str] | None = None,
    ) -> Scores:
        rows = len(ids)
        scores = Scores(np.empty((rows, self.vocabulary), np.float32), np.empty((rows, 1), np.float32))
        inputs = {
            "ids": ids.reshape(-1),
            "shape": np.array(ids.shape, np.int64),
            "seen": (seen - 1).astype(np.int32),
            "most_seen": np.array(seen.max(), np.int32),
            "last": np.arange(rows) * ids.shape[1] + last,
        }
        binding = _runtime.IOBinding(self._session)
        for name, values in inputs.items():
            binding.bind_cpu_input(name, values)
        for name, seats in zip(self._names, self._kept.array, strict=True):
            _bind(binding.bind_input, name, seats[first_seat : first_seat + rows])
            _bind(binding.bind_output, f"new_{name}", seats[first_seat : first_seat + rows])
        _bind(binding.bind_output, "scores", scores.values)
        _bind(binding.bind_output, "factors", scores.factors)
        options = _runtime.RunOptions()
        for name, value in (settings or {}).items():
            options.add_run_config_entry(name, value)
        self._session.run_with_iobinding(binding, options)
        return scores


def saturates(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor adds pairs of products of bytes in 16 bits, which are too few: x86 without VNNI.

    See `session.x64quantprecision` in ONNX Runtime's `onnxruntime_session_options_config_keys.h`: matrices are taken as
    unsigned bytes then, which is exact and slower.
    """
    try:
        flags = set(cpuinfo.read_text("utf-8").partition("flags")[2].partition("\n")[0].split())
    except OSError:
        return platform.machine().lower() in {"x86_64", "amd64"}
    return bool(flags) and not flags & {"avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8"}


class _Pages:
    """An array whose memory is taken as it is written, and can be given back.

    numpy's own large arrays come in pages of 2 MB, of which a row of 60 tokens would use a tenth.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        size = int(np.prod(shape)) * np.dtype(np.float32).itemsize
        # Private: of memory that could be shared the system would keep what is given back.
        self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._map.madvise(mmap.MADV_NOHUGEPAGE)
        self.array: NDArray[np.float32] = np.frombuffer(self._map, np.float32).reshape(shape)

    def forget(self, part: NDArray[np.float32]) -> None:
        """Give back the whole pages of a part that lies in one piece."""
        start = part.ctypes.data - self.array.ctypes.data
        end = (start + part.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
        start = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
        if start < end:
            self._map.madvise(mmap.MADV_DONTNEED, start, end - start)


def _bind(bind: Any, name: str, values: NDArray[np.float32]) -> None:
    bind(name, "cpu", 0, np.float32, values.shape, values.ctypes.data)
