"""Prompts of decoder-only models, from a model's `tokenizer.json` and its catalog entry; and outputs back to texts.

It knows templates, limits and output caps. It does not know which runtime reads the prompts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from kunnafoni_models.backend import InputTooLongError, ModelError, ModelLoadError, Prompt, filled_length

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kunnafoni_models.catalog.entry import CatalogEntry


class DecoderOnlyPromptWriter:
    """Writes the prompts of one model; safe from any thread.

    Args:
        entry: Has templates, language names, limits and output caps.
        tokenizer_json: Content of the model's tokenizer file, in the format of the `tokenizers` library.
        fill: Whether prompts are filled up to few lengths; only for a runtime that reads prompts of equal length
            faster.

    Raises:
        ModelLoadError: The content is no tokenizer, or the tokenizer lacks the entry's filler.
    """

    def __init__(self, entry: CatalogEntry, tokenizer_json: bytes | bytearray, *, fill: bool = True) -> None:
        self._entry = entry
        self._fill = fill
        try:
            self._tokenizer = Tokenizer.from_buffer(bytes(tokenizer_json))
        except Exception as error:  # the library raises bare Exception
            raise ModelLoadError(f"{entry.id}: the tokenizer file cannot be used: {error}") from error
        if entry.prompts.filler and self._tokenizer.token_to_id(entry.prompts.filler) is None:
            raise ModelLoadError(f"{entry.id}: the tokenizer has no token {entry.prompts.filler!r}, its entry's filler")
        # A text with "<eos>" in it must reach the model as these five characters, not as the end of the prompt.
        self._tokenizer.encode_special_tokens = True
        added = self._tokenizer.get_added_tokens_decoder().values()
        special = sorted((token.content for token in added if token.special), key=len, reverse=True)
        self._special = re.compile("(" + ("|".join(map(re.escape, special)) or "(?!)") + ")")

    def token_ids(self) -> dict[str, int]:
        """The id of each token."""
        return self._tokenizer.get_vocab()

    def count_tokens(self, text: str) -> int:
        """See `Backend.count_tokens`."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def translation(self, text: str, *, source: str, target: str) -> Prompt:
        """See `Backend.translation_prompt`."""
        direction = self._entry.direction(source, target)
        if direction is None:
            raise ModelError(f"{self._entry.id} does not translate {source} to {target}; see its catalog entry")
        tokens = self._count_checked(text, self._entry.limits.translate_input_tokens)
        names = self._entry.languages
        values = {"text": text, "source_name": names[source], "target_name": names[target]}
        return self._prompt(self._entry.prompts.translate, values, cap=direction.output_cap(tokens), filled=True)

    def summary(self, text: str, *, language: str) -> Prompt:
        """See `Backend.summary_prompt`."""
        if language not in self._entry.summary_languages:
            raise ModelError(f"{self._entry.id} does not summarise in {language}; see its catalog entry")
        self._count_checked(text, self._entry.limits.summarize_input_tokens)
        values = {"article": text, "target_name": self._entry.languages[language]}
        return self._prompt(self._entry.prompts.summarize, values, cap=self._entry.limits.summarize_output_tokens)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Turn an output into a text, without special tokens and without white space around it."""
        return self._tokenizer.decode(token_ids, skip_special_tokens=True).strip()

    def _count_checked(self, text: str, max_tokens: int) -> int:
        tokens = self.count_tokens(text)
        if tokens > max_tokens:
            raise InputTooLongError(tokens, max_tokens)
        return tokens

    def _prompt(self, template: str, values: Mapping[str, str], *, cap: int, filled: bool = False) -> Prompt:
        encoded: list[str] = []
        # Special tokens of the template, such as those of a chat, are tokens; in the text itself they are text.
        for index, part in enumerate(self._special.split(template)):
            if index % 2:
                encoded.append(part)
            elif part:
                encoded += self._tokenizer.encode(part.format_map(values), add_special_tokens=False).tokens
        begin = self._entry.prompts.begin_tokens
        fillers = self._fillers(len(begin) + len(encoded)) if filled else []
        tokens = (*begin, *fillers, *encoded)
        total = self._entry.limits.total_tokens
        if total is None:
            return Prompt(tokens, cap)
        if len(tokens) >= total:  # an entry may allow longer texts than its template leaves room for
            raise InputTooLongError(len(tokens), total - 1)
        return Prompt(tokens, min(cap, total - len(tokens)))

    def _fillers(self, length: int) -> list[str]:
        filler = self._entry.prompts.filler
        return [filler] * (filled_length(length) - length) if filler and self._fill else []
