"""Models on CTranslate2: decoders here, encoder-decoders in `ctranslate2_translator`.

It knows how to run rows so that none depends on its company, and when to stop one. Prompts and texts are
`DecoderOnlyPromptWriter`'s, files are `model_files`'s. It does not know how batches come about.

Two habits of CTranslate2 shape it (measured with 4.8.5 and int8 on FLORES-200 dev):
- Of the prompts of a batch it reads as many tokens in one go as the shortest has, and the rest one by one. The two ways
  round differently, and four answers in ten change. Rows whose prompts are read alike give the same tokens alone and in
  any company, so greedy rows are grouped by `length_bucket`, and one short row more fixes what is read in one go. Of a
  model with a filler all prompts of a class are equally long, and nothing is read one by one.
- Its penalty on repetition counts prompt tokens that were read one by one as if the model had said them: of a row the
  same ones in any company, and they do no harm: mean chrF++ with second tries, 100 lines of FLORES-200 dev in six
  directions, 2026-11-25, is 33.5 with classes a token wide, 33.7 of 8, 33.8 of 16, 33.7 of 32. With a ban on n-grams
  names could not be said, and beams have no callback to stop a row at its cap: there only rows with prompts, and with
  beams caps, of equal size share a run.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, cast

from kunnafoni_models.backend import ModelFileError, ModelLoadError, Output
from kunnafoni_models.backends.ctranslate2_encoder_decoder import TOKENIZER_FILES, TranslatorBackend, sequence_writer
from kunnafoni_models.backends.ctranslate2_greedy_batch import GreedyBatchCallback
from kunnafoni_models.catalog.model_files import file_names, file_problems, read_file
from kunnafoni_models.extras import needs_extra
from kunnafoni_models.machine.cpu_cores import parallel_batches, usable_cores
from kunnafoni_models.machine.free_memory import release_freed_memory
from kunnafoni_models.prompts.decoder_only import DecoderOnlyPromptWriter

with needs_extra("ctranslate2", "the backend ctranslate2"):
    import ctranslate2  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kunnafoni_models.backend import Backend, Decoding, OutputCallback, Prompt
    from kunnafoni_models.catalog.entry import CatalogEntry

_TOKENIZER = "tokenizer.json"
# With one token read in one go CTranslate2 gives back the prompt with the answer.
_READ_AT_LEAST = 4


class _Result(Protocol):
    sequences_ids: list[list[int]]


class _Generator(Protocol):
    """The part of `ctranslate2.Generator` that is used here; the library has no types of its own."""

    def generate_batch(self, start_tokens: Sequence[Sequence[str]], **options: Any) -> list[_Result]: ...


class _FileOnDemand:
    """A file that is read and checked when the runtime asks for it, so that nobody else keeps its bytes in memory."""

    def __init__(self, entry: CatalogEntry, name: str) -> None:
        self._entry = entry
        self._name = name

    def read(self) -> bytearray:
        return read_file(self._entry, self._name)


def load(entry: CatalogEntry, *, threads: int, parallel: int, device: str) -> Backend:
    """See `registry.load`. Options of an entry, all of them optional.

    compute_type    any of CTranslate2's; default `int8`
    family          one of `families.FAMILIES`; without it the model is a decoder-only one
    """
    if unknown := entry.options.keys() - {"compute_type", "family"}:
        raise ModelLoadError(f"{entry.id}: the backend ctranslate2 has no option {', '.join(sorted(unknown))}")
    if not entry.files:
        remedy = f"fetch it with kunnafoni models import {entry.base} --as {entry.id}"
        raise ModelFileError(f"{entry.id} is not on this machine: {remedy}")
    threads = threads or usable_cores()
    parallel = 1 if runs_on_gpu(device) else parallel_batches(threads, wanted=parallel)
    runtime = partial(_runtime, entry=entry, device=device, parallel=parallel, threads_each=threads // parallel)
    with ThreadPoolExecutor(1) as beside:
        if "family" in entry.options:
            sequences = beside.submit(sequence_writer, entry)
            return TranslatorBackend(runtime("Translator"), sequences.result(), parallel=parallel)
        writer = beside.submit(lambda: DecoderOnlyPromptWriter(entry, read_file(entry, _TOKENIZER)))
        return GeneratorBackend(runtime("Generator"), writer.result(), entry, parallel=parallel)


def runs_on_gpu(device: str) -> bool:
    """Whether models on this device, as `registry.load` has it, run on a GPU; `auto` takes one that is there."""
    return device == "cuda" or (device == "auto" and cast("Any", ctranslate2).get_cuda_device_count() > 0)


def _runtime(kind: str, *, entry: CatalogEntry, device: str, parallel: int, threads_each: int) -> Any:
    build = cast("Callable[..., object]", getattr(ctranslate2, kind))
    path, files = entry.id, None
    if any(file.part_of for file in entry.files):
        files = {name: _FileOnDemand(entry, name) for name in file_names(entry) if name not in TOKENIZER_FILES}
    else:
        # Given from memory, the weights would be there three times while they load: too much for a large model.
        path = str(entry.folder)
        for problem in file_problems(entry):
            raise problem
    try:
        model = build(
            path,
            device=device,
            compute_type=entry.options.get("compute_type", "int8"),
            inter_threads=parallel,
            intra_threads=threads_each,
            files=files,
        )
        release_freed_memory()  # reading a vocabulary of 262,144 tokens leaves 28 MiB that the threads do not use
    except MemoryError as error:
        raise ModelLoadError(f"{entry.id}: too little memory: free some, or take a smaller model") from error
    except (RuntimeError, ValueError) as error:
        remedy = "" if device == "cpu" else "; set the device to cpu, or mend what it says of the GPU"
        raise ModelLoadError(f"{entry.id}: CTranslate2 cannot load it on device {device}: {error}{remedy}") from error
    return model


class GeneratorBackend:
    """A loaded decoder-only model; see `Backend`."""

    supports_continuous_batching = False

    def __init__(
        self, generator: _Generator, writer: DecoderOnlyPromptWriter, entry: CatalogEntry, *, parallel: int
    ) -> None:
        self.parallel = parallel
        self._writer = writer
        self._end_token = entry.prompts.end_token
        self._loaded = [generator]
        # CTranslate2 aborts the process at exit if a generator that has called back is still alive.
        self._free = weakref.finalize(self, self._loaded.clear)

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
        groups: dict[_Group, dict[int, Prompt]] = defaultdict(dict)
        for row, prompt in enumerate(prompts):
            groups[_Group.of(prompt, decoding)][row] = prompt
        outputs: dict[int, Output] = {}
        for group, rows in groups.items():
            run = self._beams if decoding.beam_size > 1 else partial(self._greedy, group.read_at_once, on_output)
            outputs |= run(rows, decoding)
        return [outputs[row] for row in range(len(prompts))]

    def close(self) -> None:
        """See `Backend`."""
        self._free()

    def _greedy(
        self, read_at_once: int, on_output: OutputCallback | None, rows: Mapping[int, Prompt], decoding: Decoding
    ) -> dict[int, Output]:
        starts = [prompt.tokens for prompt in rows.values()]
        if any(len(start) > read_at_once for start in starts):
            starts.append(starts[0][:read_at_once])
        watched = GreedyBatchCallback(rows, piece=attrgetter("token_id"), text=self._writer.text, on_output=on_output)
        self._run(starts, decoding, max_length=watched.max_length, callback=watched)
        return watched.outputs

    def _beams(self, rows: Mapping[int, Prompt], decoding: Decoding) -> dict[int, Output]:
        starts = [prompt.tokens for prompt in rows.values()]
        max_length = max(prompt.max_output_tokens for prompt in rows.values())
        outputs: dict[int, Output] = {}
        for row, result in zip(rows, self._run(starts, decoding, max_length=max_length), strict=True):
            ids = result.sequences_ids[0]
            outputs[row] = Output(self._writer.text(ids), len(ids), len(ids) >= rows[row].max_output_tokens)
        return outputs

    def _run(self, starts: Sequence[Sequence[str]], decoding: Decoding, **options: Any) -> list[_Result]:
        return self._loaded[0].generate_batch(
            starts,
            end_token=self._end_token,
            include_prompt_in_result=False,
            beam_size=decoding.beam_size,
            repetition_penalty=decoding.repetition_penalty,
            no_repeat_ngram_size=decoding.no_repeat_ngram_size,
            **options,
        )


@dataclass(frozen=True, slots=True)
class _Group:
    """What rows of one run have in common.

    Attributes:
        read_at_once: Prompt tokens that are read in one go; the rest of each prompt is read one by one.
        max_output_tokens: Their cap; None if the callback stops each row at its own.
    """

    read_at_once: int
    max_output_tokens: int | None

    @classmethod
    def of(cls, prompt: Prompt, decoding: Decoding) -> _Group:
        length = len(prompt.tokens)
        if decoding.beam_size > 1:
            return cls(length, prompt.max_output_tokens)
        if decoding.no_repeat_ngram_size:
            return cls(length, None)
        return cls(max(min(length, _READ_AT_LEAST), prompt.length_bucket), None)
