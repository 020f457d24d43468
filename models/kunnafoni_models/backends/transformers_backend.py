"""Checkpoints as they are, on transformers and torch: encoder-decoder families and causal models.

It knows how to run a batch so that no output depends on the other prompts, and when to stop a sequence. The package
`prompts` writes the prompts; `transformers_checkpoint` and `model_files` read the files.

Options of an entry, all of them optional:
    family        one of `families.FAMILIES`; without it the model is a causal one
    dtype         float32, bfloat16 or float16; float32 on a processor and bfloat16 on a GPU if not given
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
    """See `registry.load`; `threads` counts for the whole process, as torch has it, and batches run one at a time."""
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
    where = _device(entry, device)
    remote_code = bool(entry.options.get("remote_code", False))
    pieces = TransformersTokenizer(load_tokenizer(entry.folder, remote_code=remote_code))
    writer = (
        EncoderDecoderPromptWriter(entry, pieces)
        if "family" in entry.options
        else DecoderOnlyPromptWriter(entry, model_files.read_file(entry, "tokenizer.json"))
    )
    model = load_model(entry.folder, remote_code=remote_code, dtype=_dtype(entry, where))
    return TransformersBackend(model.to(where), pieces, writer, end_token=entry.prompts.end_token)


class TransformersBackend:
    """A loaded checkpoint; see `Backend`.

    Args:
        model: An encoder-decoder or causal model of transformers, on its device.
        pieces: Its tokenizer.
        writer: Makes the prompts.
        end_token: The token that ends an answer; None for the model's own.
    """

    parallel = 1
    supports_continuous_batching = False

    def __init__(
        self,
        model: Any,
        pieces: TransformersTokenizer,
        writer: EncoderDecoderPromptWriter | DecoderOnlyPromptWriter,
        *,
        end_token: str | None,
    ) -> None:
        self._model: Any = model
        self._pieces = pieces
        self._writer = writer
        self._decodes_apart = bool(model.config.is_encoder_decoder)
        own = model.generation_config
        ends = pieces.ids([end_token]) if end_token else own.eos_token_id
        self._ends = frozenset(cast("list[int]", ends if isinstance(ends, list) else [ends]))
        self._start: list[int] = [own.decoder_start_token_id] if self._decodes_apart else []
        self._pad = int(own.pad_token_id if own.pad_token_id is not None else min(self._ends))
        # A checkpoint brings beams, least lengths and forced tokens along; here only the caller decides.
        model.generation_config = GenerationConfig(
            eos_token_id=sorted(self._ends),
            pad_token_id=self._pad,
            decoder_start_token_id=own.decoder_start_token_id,
            suppress_tokens=None if self._pad in self._ends else [self._pad],
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
        """See `Backend`. A greedy row that goes round in circles is stopped and counts as one that reached its cap."""
        del on_output  # the batch ends as a whole
        # Beams cannot be stopped row by row, so that there rows of one cap share a run.
        groups: dict[int, list[int]] = defaultdict(list)
        for row, prompt in enumerate(prompts):
            groups[prompt.max_output_tokens if decoding.beam_size > 1 else 0].append(row)
        outputs: dict[int, Output] = {}
        for rows in groups.values():
            outputs.update(zip(rows, self._run([prompts[row] for row in rows], decoding), strict=True))
        return [outputs[row] for row in range(len(prompts))]

    def close(self) -> None:
        """See `Backend`."""
        self._model = None

    @torch.inference_mode()
    def _run(self, prompts: Sequence[Prompt], decoding: Decoding) -> list[Output]:
        read, mask = self._padded([self._pieces.ids(prompt.tokens) for prompt in prompts])
        inputs = {"input_ids": read, "attention_mask": mask}
        begun = read.shape[1]
        if self._decodes_apart:
            prefixes = [[*self._start, *self._pieces.ids(prompt.target_prefix)] for prompt in prompts]
            inputs["decoder_input_ids"] = torch.tensor(prefixes, device=read.device)
            begun = len(prefixes[0])
        stop = _StopRows([StopCondition(prompt.max_output_tokens) for prompt in prompts], self._ends)
        rows = self._model.generate(
            **inputs,
            max_new_tokens=max(prompt.max_output_tokens for prompt in prompts),
            do_sample=False,
            num_beams=decoding.beam_size,
            logits_processor=_penalties(decoding, begun),
            stopping_criteria=[stop] if decoding.beam_size == 1 else [],
        )
        return [
            self._output(row[begun:], prompt.max_output_tokens, watch)
            for row, prompt, watch in zip(rows.tolist(), prompts, stop.watches, strict=True)
        ]

    def _padded(self, rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows in one rectangle and its mask: encoders are padded on the right, causal models on the left."""
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), self._pad)
        mask = torch.zeros_like(ids)
        for number, row in enumerate(rows):
            place = slice(0, len(row)) if self._decodes_apart else slice(width - len(row), width)
            ids[number, place] = torch.tensor(row)
            mask[number, place] = 1
        return ids.to(self._model.device), mask.to(self._model.device)

    def _output(self, row: list[int], max_tokens: int, watch: StopCondition) -> Output:
        end = next((place for place, token in enumerate(row) if token in self._ends), len(row))
        ids = row[: min(end, watch.tokens or end)]
        return Output(self._text(ids), len(ids), reached_cap=watch.looped or len(ids) >= max_tokens)

    def _text(self, ids: list[int]) -> str:
        if isinstance(self._writer, DecoderOnlyPromptWriter):
            return self._writer.text(ids)
        return self._writer.text(self._pieces.named(ids))


class _StopRows(StoppingCriteria):
    """Stops each row at its own cap or in a loop."""

    def __init__(self, watches: list[StopCondition], ends: frozenset[int]) -> None:
        self.watches = watches
        self._ends = ends
        self._done = [False] * len(watches)

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> Any:
        """See the library: one flag a row, asked after each token."""
        del scores
        for row, token in enumerate(cast("list[int]", cast("Any", input_ids)[:, -1].tolist())):
            if not self._done[row]:
                self._done[row] = token in self._ends or self.watches[row].stop(token)
        return torch.tensor(self._done, device=input_ids.device)


class _OnAnswer(LogitsProcessor):
    """Lets a penalty see the answer alone, not the prompt or the tokens forced before it."""

    def __init__(self, penalty: LogitsProcessor, begun: int) -> None:
        self._penalty = penalty
        self._begun = begun

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """See the library."""
        return cast("Any", self._penalty)(input_ids[:, self._begun :], scores)


def _penalties(decoding: Decoding, begun: int) -> list[LogitsProcessor]:
    found: list[LogitsProcessor] = []
    if decoding.repetition_penalty != 1:
        found.append(_OnAnswer(RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty), begun))
    if decoding.no_repeat_ngram_size:
        found.append(_OnAnswer(NoRepeatNGramLogitsProcessor(decoding.no_repeat_ngram_size), begun))
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
