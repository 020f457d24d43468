"""Checkpoints as they are, on transformers and torch: encoder-decoder models and decoder-only ones.

It knows how to run a batch so that no output depends on the other prompts, and when to stop a sequence. The package
`prompts` writes the prompts; `transformers_checkpoint` and `model_files` read the files.

Options of an entry, all of them optional:
    family        one of `encoder_decoder.FAMILIES`; without it the model is a decoder-only one
    dtype         float32, bfloat16 or float16; by default float32 on a processor and bfloat16 on a GPU
    remote_code   true runs Python code that came with the checkpoint
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, cast

from kunnafoni_models.backend import ModelFileError, ModelLoadError, Output
from kunnafoni_models.backends.transformers_checkpoint import TransformersTokenizer, load_model, load_tokenizer
from kunnafoni_models.catalog import model_files
from kunnafoni_models.decoding.stop_condition import StopCondition
from kunnafoni_models.extras import needs_extra
from kunnafoni_models.prompts.decoder_only import DecoderOnlyPromptWriter
from kunnafoni_models.prompts.encoder_decoder import EncoderDecoderPromptWriter

with needs_extra("transformers", "the backend transformers"):
    import torch
    from transformers import GenerationConfig, LogitsProcessor, StoppingCriteria
    from transformers.generation.logits_process import NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni_models.backend import Backend, Decoding, OutputCallback, Prompt
    from kunnafoni_models.catalog.entry import CatalogEntry

_OPTIONS = {"family", "dtype", "remote_code"}
_DTYPES = {"float32", "bfloat16", "float16"}


def load(entry: CatalogEntry, *, threads: int, parallel: int, device: str) -> Backend:
    """See `registry.load`; `threads` is a setting of the whole process in torch, and batches run one at a time."""
    del parallel
    if unknown := entry.options.keys() - _OPTIONS:
        raise ModelLoadError(f"{entry.id}: the backend transformers has no option {', '.join(sorted(unknown))}")
    if not entry.files:
        remedy = f"fetch it with kunnafoni models import {entry.base} --as {entry.id}"
        raise ModelFileError(f"{entry.id} is not on this machine: {remedy}")
    for problem in model_files.file_problems(entry):
        raise problem
    if threads:
        torch.set_num_threads(threads)
    torch_device = _device(entry, device)
    remote_code = bool(entry.options.get("remote_code", False))
    tokenizer = TransformersTokenizer(load_tokenizer(entry.folder, remote_code=remote_code))
    writer = (
        EncoderDecoderPromptWriter(entry, tokenizer)
        if "family" in entry.options
        else DecoderOnlyPromptWriter(entry, model_files.read_file(entry, "tokenizer.json"))
    )
    model = load_model(entry.folder, remote_code=remote_code, dtype=_dtype(entry, torch_device))
    return TransformersBackend(model.to(torch_device), tokenizer, writer, end_token=entry.prompts.end_token)


class TransformersBackend:
    """A loaded checkpoint; see `Backend`.

    Args:
        model: An encoder-decoder or decoder-only model of transformers, on its device.
        tokenizer: Its tokenizer.
        writer: Writes the prompts.
        end_token: The token that ends an output; None for the model's config.
    """

    parallel = 1
    supports_continuous_batching = False

    def __init__(
        self,
        model: Any,
        tokenizer: TransformersTokenizer,
        writer: EncoderDecoderPromptWriter | DecoderOnlyPromptWriter,
        *,
        end_token: str | None,
    ) -> None:
        self._model: Any = model
        self._tokenizer = tokenizer
        self._writer = writer
        self._is_encoder_decoder = bool(model.config.is_encoder_decoder)
        config = model.generation_config
        end_ids = tokenizer.ids([end_token]) if end_token else config.eos_token_id
        self._end_ids = frozenset(cast("list[int]", end_ids if isinstance(end_ids, list) else [end_ids]))
        self._start: list[int] = [config.decoder_start_token_id] if self._is_encoder_decoder else []
        self._pad_id = int(config.pad_token_id if config.pad_token_id is not None else min(self._end_ids))
        # A checkpoint's own configuration may ask for beams, minimum lengths and forced tokens; only `Decoding` counts
        # here.
        model.generation_config = GenerationConfig(
            eos_token_id=sorted(self._end_ids),
            pad_token_id=self._pad_id,
            decoder_start_token_id=config.decoder_start_token_id,
            suppress_tokens=None if self._pad_id in self._end_ids else [self._pad_id],
        )

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
        del on_output  # all sequences of a batch finish together
        # A beam search cannot stop single sequences: only sequences with one cap share a batch.
        groups: dict[int, list[int]] = defaultdict(list)
        for index, prompt in enumerate(prompts):
            groups[prompt.max_output_tokens if decoding.beam_size > 1 else 0].append(index)
        outputs: dict[int, Output] = {}
        for indices in groups.values():
            outputs.update(zip(indices, self._run([prompts[index] for index in indices], decoding), strict=True))
        return [outputs[index] for index in range(len(prompts))]

    def close(self) -> None:
        """See `Backend`."""
        self._model = None

    @torch.inference_mode()
    def _run(self, prompts: Sequence[Prompt], decoding: Decoding) -> list[Output]:
        input_ids, mask = self._padded([self._tokenizer.ids(prompt.tokens) for prompt in prompts])
        inputs = {"input_ids": input_ids, "attention_mask": mask}
        output_start = input_ids.shape[1]
        if self._is_encoder_decoder:
            prefixes = [[*self._start, *self._tokenizer.ids(prompt.target_prefix)] for prompt in prompts]
            inputs["decoder_input_ids"] = torch.tensor(prefixes, device=input_ids.device)
            output_start = len(prefixes[0])
        stopping = _StopSequences([StopCondition(prompt.max_output_tokens) for prompt in prompts], self._end_ids)
        sequences = self._model.generate(
            **inputs,
            max_new_tokens=max(prompt.max_output_tokens for prompt in prompts),
            do_sample=False,
            num_beams=decoding.beam_size,
            logits_processor=_penalties(decoding, output_start),
            stopping_criteria=[stopping] if decoding.beam_size == 1 else [],
        )
        return [
            self._output(ids[output_start:], prompt.max_output_tokens, condition)
            for ids, prompt, condition in zip(sequences.tolist(), prompts, stopping.conditions, strict=True)
        ]

    def _padded(self, sequences: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids and attention mask, sequences x longest: padded on the right for encoders, else on the left."""
        width = max(map(len, sequences))
        ids = torch.full((len(sequences), width), self._pad_id)
        mask = torch.zeros_like(ids)
        for index, sequence in enumerate(sequences):
            length = len(sequence)
            place = slice(0, length) if self._is_encoder_decoder else slice(width - length, width)
            ids[index, place] = torch.tensor(sequence)
            mask[index, place] = 1
        return ids.to(self._model.device), mask.to(self._model.device)

    def _output(self, sequence: list[int], max_tokens: int, condition: StopCondition) -> Output:
        end = next((place for place, token_id in enumerate(sequence) if token_id in self._end_ids), len(sequence))
        ids = sequence[: min(end, condition.tokens or end)]
        return Output(self._text(ids), len(ids), reached_cap=condition.looped or len(ids) >= max_tokens)

    def _text(self, ids: list[int]) -> str:
        if isinstance(self._writer, DecoderOnlyPromptWriter):
            return self._writer.decode(ids)
        return self._writer.decode(self._tokenizer.tokens_of(ids))


class _StopSequences(StoppingCriteria):
    """Stops each sequence at its own cap or in a loop."""

    def __init__(self, conditions: list[StopCondition], end_ids: frozenset[int]) -> None:
        self.conditions = conditions
        self._end_ids = end_ids
        self._stopped = [False] * len(conditions)

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> Any:
        """See the library: returns one flag per sequence, after each token."""
        del scores
        for index, token_id in enumerate(cast("list[int]", cast("Any", input_ids)[:, -1].tolist())):
            if not self._stopped[index]:
                self._stopped[index] = token_id in self._end_ids or self.conditions[index].stops_at(token_id)
        return torch.tensor(self._stopped, device=input_ids.device)


class _OnOutput(LogitsProcessor):
    """Applies a penalty to the tokens of the output alone, not to the prompt or forced tokens."""

    def __init__(self, penalty: LogitsProcessor, output_start: int) -> None:
        self._penalty = penalty
        self._output_start = output_start

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """See the library."""
        return cast("Any", self._penalty)(input_ids[:, self._output_start :], scores)


def _penalties(decoding: Decoding, output_start: int) -> list[LogitsProcessor]:
    found: list[LogitsProcessor] = []
    if decoding.repetition_penalty != 1:
        found.append(_OnOutput(RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty), output_start))
    if decoding.no_repeat_ngram_size:
        found.append(_OnOutput(NoRepeatNGramLogitsProcessor(decoding.no_repeat_ngram_size), output_start))
    return found


def _device(entry: CatalogEntry, device: str) -> str:
    if device == "cuda" and not torch.cuda.is_available():
        raise ModelLoadError(f"{entry.id}: this machine has no GPU that torch can use; set the device to cpu or auto")
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def _dtype(entry: CatalogEntry, device: str) -> torch.dtype:
    name = entry.options.get("dtype", "float32" if device == "cpu" else "bfloat16")
    if name not in _DTYPES:
        raise ModelLoadError(f"{entry.id}: the option dtype is {name!r}; it may be {', '.join(sorted(_DTYPES))}")
    return getattr(torch, str(name))
