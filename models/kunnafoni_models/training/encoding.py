"""Rows of text to rows of token numbers, by the product's own prompts.

It knows a tokenizer and a catalog entry, and that an answer starts with a space. It knows no batches.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from kunnafoni_models.catalog.entry import Direction, Limits
from kunnafoni_models.prompts.decoder_only import DecoderOnlyPromptWriter
from kunnafoni_models.training.errors import RowsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.corpus import Row
    from kunnafoni_models.training.weights import Weights

_SUMMARY = "sum-"
_NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows as token numbers, one after the other in one array.

    Attributes:
        tokens: int32; of each row the prompt, the answer and the end token.
        starts: int64 [rows + 1]; where each row starts in `tokens`, and where the last one ends.
        prompt_lengths: int64 [rows]; tokens of each row's prompt.
        characters: int64 [rows]; Unicode code points of each row's target text.
        chances: float64 [rows]; how often a row is taken in an epoch, on average.
        too_long: How many rows were left out because they are longer than allowed.
    """

    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]
    prompt_lengths: NDArray[np.int64]
    characters: NDArray[np.int64]
    chances: NDArray[np.float64]
    too_long: int

    def __len__(self) -> int:
        return len(self.chances)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row."""
        return np.diff(self.starts)

    def fingerprint(self) -> str:
        """Hexadecimal digest of everything, so that a resumed run can tell that these are its rows."""
        digest = hashlib.sha256()
        for array in (self.tokens, self.starts, self.prompt_lengths, self.chances):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


class RowEncoder:
    """Encodes rows for one model.

    Args:
        weights: Give the tokenizer and the prompts.
    """

    def __init__(self, weights: Weights) -> None:
        self._languages = weights.prompts.languages
        self._writer = DecoderOnlyPromptWriter(_everything(weights.prompts), weights.tokenizer_json)
        self._tokenizer = Tokenizer.from_buffer(weights.tokenizer_json)
        self._tokenizer.encode_special_tokens = True
        self._ids = self._tokenizer.get_vocab()
        self._vocabulary = weights.architecture.vocabulary
        self._end = self._ids[weights.prompts.prompts.end_token or "<eos>"]

    def encode(self, rows: Sequence[Row], *, max_tokens: int) -> EncodedRows:
        """Encode `rows`, in their order, without those longer than `max_tokens` and those of weight 0.

        Raises:
            RowsError: No row is left, one has a task that the model has no prompt for, or the tokenizer is of another
                model.
        """
        tokens: list[NDArray[np.int32]] = []
        prompt_lengths: list[int] = []
        kept: list[Row] = []
        wanted = [row for row in rows if row.weight > 0]
        for row in wanted:
            prompt = self._prompt(row)
            answer = self._tokenizer.encode(f" {row.target}", add_special_tokens=False).ids
            if len(prompt) + len(answer) < max_tokens:
                tokens.append(np.array([*prompt, *answer, self._end], np.int32))
                prompt_lengths.append(len(prompt))
                kept.append(row)
        if not tokens:
            raise RowsError(f"there is nothing to train on: of {len(rows)} rows none has at most {max_tokens} tokens")
        joined = np.concatenate(tokens)
        # Gemma's tokenizer has tokens without a row, for images; texts have none of them.
        if (highest := int(joined.max())) >= self._vocabulary:
            raise RowsError(f"the tokenizer counts to {highest} and more, the model to {self._vocabulary - 1}")
        starts = np.cumsum([0, *map(len, tokens)], dtype=np.int64)
        return EncodedRows(
            joined,
            starts,
            np.array(prompt_lengths, np.int64),
            np.array([len(row.target) for row in kept], np.int64),
            np.array([row.weight for row in kept], np.float64),
            too_long=len(wanted) - len(kept),
        )

    def _prompt(self, row: Row) -> list[int]:
        source, _, target = row.task.partition(">")
        language = row.task.removeprefix(_SUMMARY)
        if row.task.startswith(_SUMMARY) and language in self._languages:
            prompt = self._writer.summary(row.source, language=language)
        elif {source, target} <= self._languages.keys() and source != target:
            prompt = self._writer.translation(row.source, source=source, target=target)
        else:
            known = ", ".join(sorted(self._languages))
            raise RowsError(f"the task {row.task!r} is none of the model's, whose languages are {known}")
        return [self._ids[token] for token in prompt.tokens]


def _everything(entry: CatalogEntry) -> CatalogEntry:
    """`entry` without limits: what a model does not serve yet it may still learn."""
    languages = tuple(entry.languages)
    return replace(
        entry,
        directions=tuple(Direction(source, target) for source, target in permutations(languages, 2)),
        summary_languages=languages,
        limits=Limits(_NO_LIMIT, _NO_LIMIT),
        quality=(),
    )
