"""A Gemma 3 decoder on ONNX Runtime: reads token ids into KV-cache slots and returns scores of the next token.

It does not know which token is chosen, or when a sequence ends.
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
    """Of each token of the vocabulary as the next one, for some sequences.

    Attributes:
        values: Logits up to a positive factor of each sequence, sequences x vocabulary; enough for greedy search.
        factors: These factors, sequences x 1.
    """

    values: NDArray[np.float32]
    factors: NDArray[np.float32]

    def logits(self, sequences: Sequence[int]) -> NDArray[np.float32]:
        """The logits of the sequences with these indices, sequences x vocabulary."""
        return self.values[sequences] * self.factors[sequences]


class GemmaDecoder:
    """Reads prompts and then single tokens, for many sequences at once. Only one thread at a time may use it.

    Args:
        model: As `build_onnx_graph` returns it.
        constants: Likewise.
        slots: Sequences whose keys and values the KV cache can hold.
        threads: Processor threads.

    Attributes:
        vocabulary: How many tokens there are; token ids are below this.
    """

    def __init__(self, model: bytes, constants: Constants, *, slots: int, threads: int) -> None:
        self._constants = constants  # the runtime does not copy all of them
        options = _runtime.SessionOptions()
        options.intra_op_num_threads = threads
        if saturates_int8():
            options.add_session_config_entry("session.x64quantprecision", "1")
        # Threads that spin while they wait for each other are faster; between two runs they must not spin on.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.add_external_initializers(
            list(constants), [_runtime.OrtValue.ortvalue_from_numpy(constant) for constant in constants.values()]
        )
        self._session = _runtime.InferenceSession(model, options, ["CPUExecutionProvider"])
        self.vocabulary: int = self._session.get_outputs()[0].shape[1]
        caches = [value for value in self._session.get_inputs() if value.name.startswith("past_")]
        self._cache_names = [cache.name.removeprefix("past_") for cache in caches]
        # Keys and values of each layer: caches x slots x heads x positions x size.
        self._cache = _ReleasableArray((len(caches), slots, *caches[0].shape[1:]))

    def prefill(self, first_slot: int, prompts: Sequence[Sequence[int]]) -> Scores:
        """Read the prompts of new sequences into adjacent slots."""
        lengths = np.array([len(prompt) for prompt in prompts])
        ids = np.zeros((len(prompts), lengths.max()), np.int64)
        for index, prompt in enumerate(prompts):
            ids[index, : len(prompt)] = prompt
        return self._run(first_slot, ids, cached_tokens=lengths, last=lengths - 1)

    def decode_step(self, first_slot: int, tokens: Sequence[int], cached_tokens: Sequence[int]) -> Scores:
        """Read one more token in each of adjacent slots, which hold `cached_tokens` tokens before."""
        ids = np.array(tokens, np.int64)[:, None]
        return self._run(first_slot, ids, cached_tokens=np.array(cached_tokens) + 1, last=np.zeros(len(ids), np.int64))

    def copy_slot(self, source: int, target: int, *, start: int, stop: int) -> None:
        """Copy the keys and values of the tokens from `start` up to `stop` from one slot to another."""
        self._cache.array[:, target, :, start:stop] = self._cache.array[:, source, :, start:stop]

    def trim_slot(self, slot: int, kept_tokens: int) -> None:
        """Release the memory of a slot beyond so many tokens to the system."""
        for heads in self._cache.array[:, slot]:
            for head in heads:
                self._cache.release(head[kept_tokens:])

    def release_slots(self, first_slot: int, slots: int) -> None:
        """Release the memory of adjacent slots to the system."""
        for cache in self._cache.array:
            self._cache.release(cache[first_slot : first_slot + slots])

    def release_memory(self) -> None:
        """Release the memory of all slots to the system, and what the runtime keeps from run to run."""
        one = np.ones(1, np.int64)
        shrink = {"memory.enable_memory_arena_shrinkage": "cpu:0"}
        self._run(0, one[:, None], cached_tokens=one, last=one - 1, run_options=shrink)
        self._cache.release(self._cache.array)

    def _run(
        self,
        first_slot: int,
        ids: NDArray[np.int64],
        *,
        cached_tokens: NDArray[np.int64],
        last: NDArray[np.int64],
        run_options: Mapping[str, str] | None = None,
    ) -> Scores:
        """Read `ids`, sequences x tokens.

        Args:
            first_slot: Of the first sequence.
            ids: Token ids, padded on the right.
            cached_tokens: Tokens that each slot holds after this run.
            last: Index of each sequence's last token in `ids`.
            run_options: Of the runtime.
        """
        sequences = len(ids)
        scores = Scores(np.empty((sequences, self.vocabulary), np.float32), np.empty((sequences, 1), np.float32))
        inputs = {
            "token_ids": ids.reshape(-1),
            "shape": np.array(ids.shape, np.int64),
            "seqlens_k": (cached_tokens - 1).astype(np.int32),
            "total_sequence_length": np.array(cached_tokens.max(), np.int32),
            "last": np.arange(sequences) * ids.shape[1] + last,
        }
        binding = _runtime.IOBinding(self._session)
        for name, values in inputs.items():
            binding.bind_cpu_input(name, values)
        for name, cache in zip(self._cache_names, self._cache.array, strict=True):
            _bind(binding.bind_input, f"past_{name}", cache[first_slot : first_slot + sequences])
            _bind(binding.bind_output, f"present_{name}", cache[first_slot : first_slot + sequences])
        _bind(binding.bind_output, "scores", scores.values)
        _bind(binding.bind_output, "factors", scores.factors)
        options = _runtime.RunOptions()
        for name, value in (run_options or {}).items():
            options.add_run_config_entry(name, value)
        self._session.run_with_iobinding(binding, options)
        return scores


def saturates_int8(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """True if the processor sums pairs of int8 products in 16 bits, which saturate: x86 without VNNI.

    See `session.x64quantprecision` in ONNX Runtime's `onnxruntime_session_options_config_keys.h`: the matrices are then
    taken as unsigned bytes, which is exact and slower.
    """
    try:
        flags = set(cpuinfo.read_text("utf-8").partition("flags")[2].partition("\n")[0].split())
    except OSError:
        return platform.machine().lower() in {"x86_64", "amd64"}
    return bool(flags) and not flags & {"avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8"}


class _ReleasableArray:
    """An array whose memory is taken when it is first written, and can be released to the system in parts.

    numpy's own large arrays take pages of 2 MB, of which a sequence of 60 tokens would use a tenth.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        size = int(np.prod(shape)) * np.dtype(np.float32).itemsize
        # The system does not free released memory of a mapping that could be shared.
        self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._map.madvise(mmap.MADV_NOHUGEPAGE)
        self.array: NDArray[np.float32] = np.frombuffer(self._map, np.float32).reshape(shape)

    def release(self, part: NDArray[np.float32]) -> None:
        """Release the whole pages of a contiguous part."""
        start = part.ctypes.data - self.array.ctypes.data
        end = (start + part.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
        start = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
        if start < end:
            self._map.madvise(mmap.MADV_DONTNEED, start, end - start)


def _bind(bind: Any, name: str, values: NDArray[np.float32]) -> None:
    bind(name, "cpu", 0, np.float32, values.shape, values.ctypes.data)
