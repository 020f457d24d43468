"""Gemma 3 models in CTranslate2's format on ONNX Runtime, with continuous batching.

On a GPU the backend on CTranslate2 is loaded instead. This module turns prompts into sequences and their tokens into
outputs; `decoding.continuous_batching` schedules the sequences, and `gemma.decoder` runs the model.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

from kunnafoni_models.backend import ModelFileError, ModelLoadError, Output
from kunnafoni_models.catalog.model_files import file_names, read_file
from kunnafoni_models.decoding.continuous_batching import ContinuousBatcher
from kunnafoni_models.decoding.sequence import DecodingSequence
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
# KV-cache slots, and as many again for the background. A decode step of the embedded model on 2 cores takes 5.8 ms with
# 1 sequence, 24 with 48, 28 with 64, 41 with 96 (2026-11-27).
_SLOTS = 64
# Token budget: most tokens that the running sequences may come to hold in the KV cache, 36 KB each of the embedded
# model; as many again for the background. A slot keeps the memory of 192 tokens until nothing has run for two seconds.
_MAX_TOKENS = 8192


def load(entry: CatalogEntry, *, threads: int, parallel: int, device: str) -> Backend:
    """See `registry.load`. All sequences run together, whatever `parallel` is. Options of an entry.

    compute_type    `int8`, the default, or `float32`
    """
    if load_on_gpu := _gpu_loader(device):
        return load_on_gpu(entry, threads=threads, parallel=parallel, device=device)
    _check(entry, device)
    end_token, positions = entry.prompts.end_token, entry.limits.total_tokens
    if end_token is None or positions is None:
        raise ModelLoadError(f"{entry.id}: the backend onnxruntime needs the entry's end_token and total_tokens")
    threads = threads or usable_cores()
    with ThreadPoolExecutor(1) as executor:
        writer = executor.submit(lambda: DecoderOnlyPromptWriter(entry, read_file(entry, _TOKENIZER), fill=False))
        decoder = _decoder(entry, positions=positions, threads=threads)
        token_ids = writer.result().token_ids()
    release_freed_memory()
    for token in (end_token, *entry.prompts.begin_tokens):
        if token not in token_ids:
            raise ModelLoadError(f"{entry.id}: the tokenizer has no token {token!r}, which the entry names")
    if max(token_ids.values()) >= decoder.vocabulary:
        raise ModelLoadError(f"{entry.id}: the tokenizer has more tokens than the model's {decoder.vocabulary:,}")
    batcher = ContinuousBatcher(
        decoder, end_id=token_ids[end_token], slots=_SLOTS, max_length=positions, max_tokens=_MAX_TOKENS
    )
    return OnnxRuntimeBackend(batcher, writer.result(), token_ids)


def _gpu_loader(device: str) -> Loader | None:
    """The function that loads a model on a GPU; None if the model is to run on the processor.

    Raises:
        MissingExtraError: The device is `cuda` and CTranslate2 is not installed; `auto` then takes the processor.
    """
    if device not in {"auto", "cuda"}:
        return None
    try:
        from kunnafoni_models.backends import ctranslate2_backend  # noqa: PLC0415 - not needed on a processor
    except MissingExtraError:
        if device == "cuda":
            raise
        return None
    return ctranslate2_backend.load if ctranslate2_backend.runs_on_gpu(device) else None


def _check(entry: CatalogEntry, device: str) -> None:
    if unknown := entry.options.keys() - {"compute_type"}:
        raise ModelLoadError(f"{entry.id}: the backend onnxruntime has no option {', '.join(sorted(unknown))}")
    if (compute_type := entry.options.get("compute_type", "int8")) not in {"int8", "float32"}:
        raise ModelLoadError(f"{entry.id}: the backend onnxruntime computes in int8 or float32, not in {compute_type}")
    if device not in {"auto", "cpu"}:
        raise ModelLoadError(f"{entry.id}: there is no device {device}: set it to cpu, cuda or auto")
    for name in file_names(entry):
        if name not in {_WEIGHTS, _TOKENIZER}:
            read_file(entry, name)  # raises if it is damaged: now, not only when the model moves to a GPU


def _decoder(entry: CatalogEntry, *, positions: int, threads: int) -> GemmaDecoder:
    int8 = entry.options.get("compute_type", "int8") == "int8"
    try:
        architecture, parameters = read_decoder(read_file(entry, _WEIGHTS))
        model, constants = build_onnx_graph(architecture, parameters, positions=positions, int8=int8)
        del parameters  # frees the content of the file before the runtime makes a copy of its own
        return GemmaDecoder(model, constants, slots=2 * _SLOTS, threads=threads)
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

    parallel = _SLOTS
    supports_continuous_batching = True

    def __init__(
        self, batcher: ContinuousBatcher, writer: DecoderOnlyPromptWriter, token_ids: Mapping[str, int]
    ) -> None:
        self._batcher = batcher
        self._writer = writer
        self._token_ids = token_ids

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
        """See `Backend`. A greedy sequence in a loop is stopped and counts as one that reached its cap."""
        finished: SimpleQueue[DecodingSequence] = SimpleQueue()
        sequences = [
            DecodingSequence(
                [self._token_ids[token] for token in prompt.tokens],
                prompt.max_output_tokens,
                decoding,
                finished.put,
                prompt.background,
            )
            for prompt in prompts
        ]
        self._batcher.add(sequences)
        outputs: dict[DecodingSequence, Output] = {}
        for _ in sequences:
            sequence = finished.get()
            if sequence.error:
                continue
            ids = sequence.output
            outputs[sequence] = Output(self._writer.decode(ids), len(ids), sequence.cut_short)
            if on_output:
                on_output(sequences.index(sequence), outputs[sequence])
        for sequence in sequences:
            if sequence.error:
                raise sequence.error
        return [outputs[sequence] for sequence in sequences]

    def close(self) -> None:
        """See `Backend`."""
        self._batcher.close()
