"""Encoder-decoder models on CTranslate2: every family of `families.FAMILIES`, converted.

It knows how to run rows and when to stop one. Prompts and texts are `EncoderDecoderPromptWriter`'s, files are
`ctranslate2_backend`'s. An encoder reads each row under a mask, so that rows need no grouping by length: the tests
compare rows alone and in company.
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
    from kunnafoni_models.prompts.encoder_decoder import Pieces

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


def sequence_writer(entry: CatalogEntry) -> EncoderDecoderPromptWriter:
    """The prompt writer of a converted model, from the tokenizer files that lie with it.

    Raises:
        ModelFileError: A file is missing or corrupt.
        ModelLoadError: A file is no tokenizer, or does not have what the entry needs.
    """
    try:
        return EncoderDecoderPromptWriter(entry, _pieces(entry))
    except (ValueError, RuntimeError) as error:
        raise ModelLoadError(f"{entry.id}: the tokenizer files cannot be used: {error}") from error


def _pieces(entry: CatalogEntry) -> Pieces:
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
        self._never = [[_PAD]] if writer.knows(_PAD) else None
        self._loaded = [translator]
        # CTranslate2 aborts the process at exit if a model that has called back is still alive.
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
        if decoding.beam_size == 1:
            outputs = self._greedy(dict(enumerate(prompts)), decoding, on_output) if prompts else {}
        else:
            outputs = self._beams(prompts, decoding)
        return [outputs[row] for row in range(len(prompts))]

    def close(self) -> None:
        """See `Backend`."""
        self._free()

    def _greedy(
        self, rows: Mapping[int, Prompt], decoding: Decoding, on_output: OutputCallback | None
    ) -> dict[int, Output]:
        watched = GreedyBatchCallback(rows, piece=attrgetter("token"), text=self._writer.text, on_output=on_output)
        self._run(rows, decoding, max_decoding_length=watched.max_length, callback=watched)
        return watched.outputs

    def _beams(self, prompts: Sequence[Prompt], decoding: Decoding) -> dict[int, Output]:
        # Beams have no callback to stop a row at its cap, so that there rows of one cap share a run.
        groups: dict[int, dict[int, Prompt]] = defaultdict(dict)
        for row, prompt in enumerate(prompts):
            groups[prompt.max_output_tokens][row] = prompt
        outputs: dict[int, Output] = {}
        for cap, rows in groups.items():
            longest = cap + max(len(prompt.target_prefix) for prompt in rows.values())
            results = self._run(rows, decoding, max_decoding_length=longest)
            for (row, prompt), result in zip(rows.items(), results, strict=True):
                tokens = result.hypotheses[0][len(prompt.target_prefix) :]
                outputs[row] = Output(self._writer.text(tokens), len(tokens), reached_cap=len(tokens) >= cap)
        return outputs

    def _run(self, rows: Mapping[int, Prompt], decoding: Decoding, **options: Any) -> list[_Result]:
        return self._loaded[0].translate_batch(
            [list(prompt.tokens) for prompt in rows.values()],
            target_prefix=[list(prompt.target_prefix) for prompt in rows.values()],
            max_input_length=0,  # never cut: what is too long was refused before
            min_decoding_length=0,
            beam_size=decoding.beam_size,
            repetition_penalty=decoding.repetition_penalty,
            no_repeat_ngram_size=decoding.no_repeat_ngram_size,
            suppress_sequences=self._never,
            **options,
        )
