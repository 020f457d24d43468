"""Converted encoder-decoder models on CTranslate2, of every family of `prompts.encoder_decoder.FAMILIES`.

It runs batches and stops sequences. `EncoderDecoderPromptWriter` makes prompts and texts, and `ctranslate2_backend`
reads the weights. An encoder reads each sequence under a mask, so that sequences need no grouping by length: the tests
compare the outputs of prompts alone and in batches.
"""

from __future__ import annotations

import json
import weakref
from collections import defaultdict
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from kunnafoni_models.backend import ModelLoadError, Output
from kunnafoni_models.backends.ctranslate2_greedy_batch import GreedyBatchCallback
from kunnafoni_models.catalog.model_files import file_names, read_file
from kunnafoni_models.prompts.encoder_decoder import EncoderDecoderPromptWriter
from kunnafoni_models.prompts.tokenizer_files import JsonTokenizer, SentencePieceTokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kunnafoni_models.backend import Decoding, OutputCallback, Prompt
    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.prompts.encoder_decoder import Tokenizer

VOCABULARY = "shared_vocabulary.json"
TOKENIZER_FILES = frozenset(
    {"tokenizer.json", "sentencepiece.bpe.model", "source.spm", "target.spm", "vocab.json", "tokenizer_config.json"}
)
_PAD = "<pad>"


class _Result(Protocol):
    hypotheses: list[list[str]]


class Translator(Protocol):
    """The part of `ctranslate2.Translator` that is used here; the library has no types of its own."""

    def translate_batch(self, source: list[list[str]], **options: Any) -> list[_Result]:
        """See the library."""
        ...


def read_prompt_writer(entry: CatalogEntry) -> EncoderDecoderPromptWriter:
    """The prompt writer of a converted model, from the tokenizer files beside its weights.

    Raises:
        ModelFileError: A file is missing or corrupt.
        ModelLoadError: A file is no tokenizer, or lacks what the entry needs.
    """
    try:
        return EncoderDecoderPromptWriter(entry, _read_tokenizer(entry))
    except (ValueError, RuntimeError) as error:
        raise ModelLoadError(f"{entry.id}: the tokenizer files cannot be used: {error}") from error


def _read_tokenizer(entry: CatalogEntry) -> Tokenizer:
    names = file_names(entry)
    if "tokenizer.json" in names:
        return JsonTokenizer(read_file(entry, "tokenizer.json"))
    vocabulary: list[str] = json.loads(read_file(entry, VOCABULARY))
    if "source.spm" in names:
        return SentencePieceTokenizer(read_file(entry, "source.spm"), read_file(entry, "target.spm"), vocabulary)
    model = read_file(entry, "sentencepiece.bpe.model")
    return SentencePieceTokenizer(model, model, vocabulary)


class TranslatorBackend:
    """A loaded encoder-decoder model; see `Backend`."""

    supports_continuous_batching = False

    def __init__(self, translator: Translator, writer: EncoderDecoderPromptWriter, *, parallel: int) -> None:
        self.parallel = parallel
        self._writer = writer
        self._suppressed = [[_PAD]] if writer.has_token(_PAD) else None
        self._loaded = [translator]
        # CTranslate2 aborts the process at exit if a model that has called a callback is still alive.
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
        if decoding.beam_size == 1:
            outputs = self._greedy(dict(enumerate(prompts)), decoding, on_output) if prompts else {}
        else:
            outputs = self._beam_search(prompts, decoding)
        return [outputs[index] for index in range(len(prompts))]

    def close(self) -> None:
        """See `Backend`."""
        self._free()

    def _greedy(
        self, prompts: Mapping[int, Prompt], decoding: Decoding, on_output: OutputCallback | None
    ) -> dict[int, Output]:
        callback = GreedyBatchCallback(
            prompts, token_of=attrgetter("token"), decode=self._writer.decode, on_output=on_output
        )
        self._run(prompts, decoding, max_decoding_length=callback.max_length, callback=callback)
        return callback.outputs

    def _beam_search(self, prompts: Sequence[Prompt], decoding: Decoding) -> dict[int, Output]:
        # A beam search has no callback that could stop a sequence at its cap: only sequences with one cap share a
        # batch.
        groups: dict[int, dict[int, Prompt]] = defaultdict(dict)
        for index, prompt in enumerate(prompts):
            groups[prompt.max_output_tokens][index] = prompt
        outputs: dict[int, Output] = {}
        for cap, group in groups.items():
            longest = cap + max(len(prompt.target_prefix) for prompt in group.values())
            results = self._run(group, decoding, max_decoding_length=longest)
            for (index, prompt), result in zip(group.items(), results, strict=True):
                tokens = result.hypotheses[0][len(prompt.target_prefix) :]
                outputs[index] = Output(self._writer.decode(tokens), len(tokens), reached_cap=len(tokens) >= cap)
        return outputs

    def _run(self, prompts: Mapping[int, Prompt], decoding: Decoding, **options: Any) -> list[_Result]:
        return self._loaded[0].translate_batch(
            [list(prompt.tokens) for prompt in prompts.values()],
            target_prefix=[list(prompt.target_prefix) for prompt in prompts.values()],
            max_input_length=0,  # no truncation: texts that are too long were refused before
            min_decoding_length=0,
            beam_size=decoding.beam_size,
            repetition_penalty=decoding.repetition_penalty,
            no_repeat_ngram_size=decoding.no_repeat_ngram_size,
            suppress_sequences=self._suppressed,
            **options,
        )
