"""Models on CTranslate2: decoder-only ones here, encoder-decoders in `ctranslate2_encoder_decoder`.

It runs batches so that no output depends on the other prompts, and stops sequences. `DecoderOnlyPromptWriter` makes
prompts and texts, and `model_files` checks the files. The module does not know how batches are formed.

Two properties of CTranslate2 shape it (measured with 4.8.5 and int8 on FLORES-200 dev):
- It prefills as many tokens of each prompt in a batch as the shortest prompt has, and reads the others one by one. The
  two ways round differently, and four outputs in ten change. Sequences whose prompts are read in the same way give the
  same tokens alone and in any batch. So greedy sequences are grouped by `length_bucket`, and one more, short sequence
  fixes the length of the prefill. With a model that has a filler, all prompts of a bucket have equal length, and no
  token is read by itself.
- Its repetition penalty counts prompt tokens that were read one by one as if the model had produced them. They are the
  same ones in every batch, and they do no harm: mean chrF++ with fallback decoding, 100 lines of FLORES-200 dev in six
  directions, 2026-11-25, is 33.5 with buckets one token wide, 33.7 with 8, 33.8 with 16, 33.7 with 32. With an n-gram
  ban, however, names of the prompt could not be produced, and a beam search has no callback that could stop a sequence
  at its cap: there only sequences with prompts of equal length, and for beams also with equal caps, share a batch.
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
from kunnafoni_models.backends.ctranslate2_encoder_decoder import TOKENIZER_FILES, TranslatorBackend, read_prompt_writer
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
# With a prefill of one token CTranslate2 returns the prompt with the output.
_MIN_PREFILL_TOKENS = 4


class _Result(Protocol):
    sequences_ids: list[list[int]]


class _Generator(Protocol):
    """The part of `ctranslate2.Generator` that is used here; the library has no types of its own."""

    def generate_batch(self, start_tokens: Sequence[Sequence[str]], **options: Any) -> list[_Result]: ...


class _FileOnDemand:
    """A file that is read and checked when the runtime asks for it, so that only the runtime keeps it in memory."""

    def __init__(self, entry: CatalogEntry, name: str) -> None:
        self._entry = entry
        self._name = name

    def read(self) -> bytearray:
        return read_file(self._entry, self._name)


def load(entry: CatalogEntry, *, threads: int, parallel: int, device: str) -> Backend:
    """See `registry.load`. Options of an entry, all of them optional.

    compute_type    any of CTranslate2's; default `int8`
    family          one of `encoder_decoder.FAMILIES`; without it the model is a decoder-only one
    """
    if unknown := entry.options.keys() - {"compute_type", "family"}:
        raise ModelLoadError(f"{entry.id}: the backend ctranslate2 has no option {', '.join(sorted(unknown))}")
    if not entry.files:
        remedy = f"fetch it with kunnafoni models import {entry.base} --as {entry.id}"
        raise ModelFileError(f"{entry.id} is not on this machine: {remedy}")
    threads = threads or usable_cores()
    parallel = 1 if runs_on_gpu(device) else parallel_batches(threads, wanted=parallel)
    runtime = partial(_runtime, entry=entry, device=device, parallel=parallel, threads_each=threads // parallel)
    with ThreadPoolExecutor(1) as executor:
        if "family" in entry.options:
            encoder_decoder_writer = executor.submit(read_prompt_writer, entry)
            return TranslatorBackend(runtime("Translator"), encoder_decoder_writer.result(), parallel=parallel)
        writer = executor.submit(lambda: DecoderOnlyPromptWriter(entry, read_file(entry, _TOKENIZER)))
        return GeneratorBackend(runtime("Generator"), writer.result(), entry, parallel=parallel)


def runs_on_gpu(device: str) -> bool:
    """True if models on this device, an argument of `registry.load`, run on a GPU; `auto` takes one if there is one."""
    return device == "cuda" or (device == "auto" and cast("Any", ctranslate2).get_cuda_device_count() > 0)


def _runtime(class_name: str, *, entry: CatalogEntry, device: str, parallel: int, threads_each: int) -> Any:
    build = cast("Callable[..., object]", getattr(ctranslate2, class_name))
    path, files = entry.id, None
    if any(file.part_of for file in entry.files):
        files = {name: _FileOnDemand(entry, name) for name in file_names(entry) if name not in TOKENIZER_FILES}
    else:
        # Passed from memory, the weights would be in memory three times while they load: too much for a large model.
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
        release_freed_memory()  # 28 MiB after a vocabulary of 262,144 tokens was read
    except MemoryError as error:
        raise ModelLoadError(f"{entry.id}: too little memory: free some, or take a smaller model") from error
    except (RuntimeError, ValueError) as error:
        remedy = "" if device == "cpu" else "; set the device to cpu, or solve this problem of the GPU"
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
        # CTranslate2 aborts the process at exit if a generator that has called a callback is still alive.
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
        """See `Backend`. A greedy sequence in a loop is stopped and counts as one that reached its cap."""
        groups: dict[_Group, dict[int, Prompt]] = defaultdict(dict)
        for index, prompt in enumerate(prompts):
            groups[_Group.of(prompt, decoding)][index] = prompt
        outputs: dict[int, Output] = {}
        for group, members in groups.items():
            if decoding.beam_size > 1:
                outputs |= self._beam_search(members, decoding)
            else:
                outputs |= self._greedy(members, decoding, group.prefill_tokens, on_output)
        return [outputs[index] for index in range(len(prompts))]

    def close(self) -> None:
        """See `Backend`."""
        self._free()

    def _greedy(
        self,
        prompts: Mapping[int, Prompt],
        decoding: Decoding,
        prefill_tokens: int,
        on_output: OutputCallback | None,
    ) -> dict[int, Output]:
        start_tokens = [prompt.tokens for prompt in prompts.values()]
        if any(len(tokens) > prefill_tokens for tokens in start_tokens):
            start_tokens.append(start_tokens[0][:prefill_tokens])
        callback = GreedyBatchCallback(
            prompts, token_of=attrgetter("token_id"), decode=self._writer.decode, on_output=on_output
        )
        self._run(start_tokens, decoding, max_length=callback.max_length, callback=callback)
        return callback.outputs

    def _beam_search(self, prompts: Mapping[int, Prompt], decoding: Decoding) -> dict[int, Output]:
        start_tokens = [prompt.tokens for prompt in prompts.values()]
        max_length = max(prompt.max_output_tokens for prompt in prompts.values())
        outputs: dict[int, Output] = {}
        results = self._run(start_tokens, decoding, max_length=max_length)
        for (index, prompt), result in zip(prompts.items(), results, strict=True):
            ids = result.sequences_ids[0]
            outputs[index] = Output(self._writer.decode(ids), len(ids), len(ids) >= prompt.max_output_tokens)
        return outputs

    def _run(self, start_tokens: Sequence[Sequence[str]], decoding: Decoding, **options: Any) -> list[_Result]:
        return self._loaded[0].generate_batch(
            start_tokens,
            end_token=self._end_token,
            include_prompt_in_result=False,
            beam_size=decoding.beam_size,
            repetition_penalty=decoding.repetition_penalty,
            no_repeat_ngram_size=decoding.no_repeat_ngram_size,
            **options,
        )


@dataclass(frozen=True, slots=True)
class _Group:
    """What the sequences of one batch have in common.

    Attributes:
        prefill_tokens: Prompt tokens that are read at once; the others of each prompt are read one by one.
        max_output_tokens: Their output cap; None if the callback stops each sequence at its own.
    """

    prefill_tokens: int
    max_output_tokens: int | None

    @classmethod
    def of(cls, prompt: Prompt, decoding: Decoding) -> _Group:
        length = len(prompt.tokens)
        if decoding.beam_size > 1:
            return cls(length, prompt.max_output_tokens)
        if decoding.no_repeat_ngram_size:
            return cls(length, None)
        return cls(max(min(length, _MIN_PREFILL_TOKENS), prompt.length_bucket), None)
