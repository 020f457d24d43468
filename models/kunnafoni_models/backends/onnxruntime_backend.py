"""Gemma 3 models in CTranslate2's format on ONNX Runtime: rows join those that run, and none waits for a batch to end.

On a GPU the backend on CTranslate2 is loaded in its place. It knows how rows become answers; how they run is in
`running_rows`, what runs them in `gemma_decoder`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

from kunnafoni_models.backend import ModelFileError, ModelLoadError, Output
from kunnafoni_models.catalog.model_files import file_names, read_file
from kunnafoni_models.decoding.continuous_batching import ContinuousBatcher
from kunnafoni_models.decoding.kv_cache_slots import DecodingSequence
from kunnafoni_models.extras import MissingExtraError
from kunnafoni_models.gemma.architecture import ArchitectureError
from kunnafoni_models.gemma.decoder import GemmaDecoder
from kunnafoni_models.gemma.model_bin import read_decoder
from kunnafoni_models.gemma.onnx_graph import build_onnx_graph
from kunnafoni_models.machine.cpu_cores import usable_cores
from kunnafoni_models.machine.free_memory import release_freed_memory
from kunnafoni_models.prompts.decoder_only import DecoderOnlyPromptWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kunnafoni_models.backend import Backend, Decoding, OutputCallback, Prompt
    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.registry import Loader

_WEIGHTS, _TOKENIZER = "model.bin", "tokenizer.json"
# A step of the embedded model on 2 cores takes 5.8 ms with 1 row, 24 with 48, 28 with 64, 41 with 96 (2026-11-27).
_SEATS = 64
# Tokens of rows that run, at worst and in all hypotheses, 36 KB each of the embedded model. A seat keeps memory for 192
# (see `seats`) until nothing has run for two seconds. Of both there is as much again for the background.
_TOKENS = 8192


def load(entry: CatalogEntry, *, threads: int, parallel: int, device: str) -> Backend:
    """See `registry.load`. All rows run together whatever `parallel` is. Options of an entry.

    compute_type    `int8`, the default, or `float32`
    """
    if load_on_gpu := _gpu_loader(device):
        return load_on_gpu(entry, threads=threads, parallel=parallel, device=device)
    _check(entry, device)
    end_token, positions = entry.prompts.end_token, entry.limits.total_tokens
    if end_token is None or positions is None:
        raise ModelLoadError(f"{entry.id}: the backend onnxruntime needs the entry's end_token and total_tokens")
    threads = threads or usable_cores()
    with ThreadPoolExecutor(1) as beside:
        writer = beside.submit(lambda: DecoderOnlyPromptWriter(entry, read_file(entry, _TOKENIZER), fill=False))
        decoder = _decoder(entry, positions=positions, threads=threads)
        numbers = writer.result().numbers()
    release_freed_memory()
    for token in (end_token, *entry.prompts.begin_tokens):
        if token not in numbers:
            raise ModelLoadError(f"{entry.id}: the tokenizer has no token {token!r}, which the entry names")
    if max(numbers.values()) >= decoder.vocabulary:
        raise ModelLoadError(f"{entry.id}: the tokenizer has more tokens than the model's {decoder.vocabulary:,}")
    rows = ContinuousBatcher(decoder, end=numbers[end_token], seats=_SEATS, positions=positions, max_tokens=_TOKENS)
    return OnnxRuntimeBackend(rows, writer.result(), numbers)


def _gpu_loader(device: str) -> Loader | None:
    """What loads the model where it is to run on a GPU; None for a processor.

    Raises:
        MissingExtraError: The device is `cuda`, and what runs there is not installed; `auto` takes the processor then.
    """
    if device not in {"auto", "cuda"}:
        return None
    try:
        from kunnafoni_models.backends import ctranslate2_backend  # noqa: PLC0415 - a server on a processor needs none of it
    except MissingExtraError:
        if device == "cuda":
            raise
        return None
    return ctranslate2_backend.load if ctranslate2_backend.runs_on_gpu(device) else None


def _check(entry: CatalogEntry, device: str) -> None:
    if unknown := entry.options.keys() - {"compute_type"}:
        raise ModelLoadError(f"{entry.id}: the backend onnxruntime has no option {', '.join(sorted(unknown))}")
    if (kind := entry.options.get("compute_type", "int8")) not in {"int8", "float32"}:
        raise ModelLoadError(f"{entry.id}: the backend onnxruntime computes in int8 or float32, not in {kind}")
    if device not in {"auto", "cpu"}:
        raise ModelLoadError(f"{entry.id}: there is no device {device}: set it to cpu, cuda or auto")
    for name in file_names(entry):
        if name not in {_WEIGHTS, _TOKENIZER}:
            read_file(entry, name)  # raises if it is damaged, now and not when it is moved to a GPU


def _decoder(entry: CatalogEntry, *, positions: int, threads: int) -> GemmaDecoder:
    int8 = entry.options.get("compute_type", "int8") == "int8"
    try:
        architecture, parameters = read_decoder(read_file(entry, _WEIGHTS))
        model, constants = build_onnx_graph(architecture, parameters, positions=positions, int8=int8)
        del parameters  # and with them the file, before the runtime makes a copy of its own
        return GemmaDecoder(model, constants, seats=2 * _SEATS, threads=threads)
    except ArchitectureError as error:
        raise ModelLoadError(f"{entry.id}: the backend onnxruntime cannot run it: {error}") from error
    except ModelFileError:
        raise
    except (MemoryError, OSError) as error:
        raise ModelLoadError(f"{entry.id}: too little memory: free some, or take a smaller model") from error
    except Exception as error:  # the runtime's errors have no common class
        raise ModelLoadError(f"{entry.id}: ONNX Runtime cannot load it: {error}") from error


class OnnxRuntimeBackend:
    """A loaded Gemma 3 model; see `Backend`."""

    parallel = _SEATS
    supports_continuous_batching = True

    def __init__(self, rows: ContinuousBatcher, writer: DecoderOnlyPromptWriter, numbers: Mapping[str, int]) -> None:
        self._rows = rows
        self._writer = writer
        self._numbers = numbers

    def count_tokens(self, text: str) -> int:
        """See `Backend`."""
        return self._writer.count_tokens(text)

    def translation_prompt(self, text: str, *, source: str, target: str) -> Prompt:
        """See `Backend`."""
        return self._writer.translation(text, source=source, target=target)

    def summary_prompt(self, text: str, *, language: str) -> Prompt:
        """See `Backend`."""
        return self._writer.summary(text, language=language)

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, on_output: OutputCallback | None = None
    ) -> list[Output]:
        """See `Backend`. A greedy row that goes round in circles is stopped and counts as one that reached its cap."""
        ended: SimpleQueue[DecodingSequence] = SimpleQueue()
        numbers = [[self._numbers[token] for token in prompt.tokens] for prompt in prompts]
        rows = [
            DecodingSequence(each, prompt.max_output_tokens, decoding, ended.put, prompt.background)
            for each, prompt in zip(numbers, prompts, strict=True)
        ]
        self._rows.add(rows)
        outputs: dict[DecodingSequence, Output] = {}
        for _ in rows:
            row = ended.get()
            if row.error:
                continue
            outputs[row] = Output(self._writer.text(row.tokens), len(row.tokens), row.capped)
            if on_output:
                on_output(rows.index(row), outputs[row])
        for row in rows:
            if row.error:
                raise row.error
        return [outputs[row] for row in rows]

    def close(self) -> None:
        """See `Backend`."""
        self._rows.close()
