"""Prompts of encoder-decoder models: how each family encodes the languages, and how texts become prompts for it.

It knows tokens as strings, and the limits of the catalog entry. It does not know which runtime reads the prompts, or
which library tokenises texts: that is a `Tokenizer`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kunnafoni_models.backend import InputTooLongError, ModelError, ModelLoadError, Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni_models.catalog.entry import CatalogEntry

_END = "</s>"
_SOURCE = "{source}"
_TARGET = "{target}"


@dataclass(frozen=True, slots=True)
class Family:
    """The tokens around a text. `{source}` and `{target}` stand for the language codes of the catalog entry.

    Attributes:
        encoder_prefix: Tokens before the text in the encoder.
        target_prefix: First tokens of the output, after the token with which every output starts.
    """

    encoder_prefix: tuple[str, ...] = ()
    target_prefix: tuple[str, ...] = ()

    def needs_language_codes(self) -> bool:
        """True if the language codes must be tokens of the model."""
        return any("{" in token for token in (*self.encoder_prefix, *self.target_prefix))


# Every family ends the encoder's input with </s>. NLLB and M2M100: the source code comes first since transformers 4.30
# (Costa-jussà et al. 2022, section 6; before that release it came last, as a bug). mBART-50: Tang et al. 2020.
# MADLAD-400: Kudugunta et al. 2023. BART's outputs begin with <s> by `forced_bos_token_id` of its checkpoints.
FAMILIES = {
    "nllb": Family((_SOURCE,), (_TARGET,)),
    "m2m100": Family((_SOURCE,), (_TARGET,)),
    "mbart50": Family((_SOURCE,), (_TARGET,)),
    "marian": Family(),
    "marian-to-many": Family((_TARGET,)),
    "t5": Family(),
    "madlad": Family((_TARGET,)),
    "bart": Family(("<s>",), ("<s>",)),
    "pegasus": Family(),
}


class Tokenizer(Protocol):
    """Turns texts into a model's tokens and back. Safe from any thread."""

    @property
    def special_tokens(self) -> frozenset[str]:
        """Tokens that never stand for text."""
        ...

    def tokenize(self, text: str) -> list[str]:
        """Tokenise `text`, without special tokens around it."""
        ...

    def detokenize(self, tokens: Sequence[str]) -> str:
        """Join `tokens` into a text; special ones are left out."""
        ...

    def has_token(self, token: str) -> bool:
        """True if `token` is in the model's vocabulary."""
        ...


class EncoderDecoderPromptWriter:
    """Writes the prompts of one encoder-decoder model; safe from any thread.

    `limits.total_tokens` of the entry, if given, is the number of positions of the encoder, and that of the decoder:
    output caps are lowered to it.

    Args:
        entry: Has the family (option `family`), templates, language codes, limits and output caps.
        tokenizer: The model's tokenizer.

    Raises:
        ModelLoadError: The family is unknown, or the tokenizer lacks the code of a language that the entry serves.
    """

    def __init__(self, entry: CatalogEntry, tokenizer: Tokenizer) -> None:
        name = str(entry.options.get("family", ""))
        if name not in FAMILIES:
            raise ModelLoadError(f"{entry.id}: the option family is {name!r}; it may be {', '.join(FAMILIES)}")
        self._entry = entry
        self._family = FAMILIES[name]
        self._tokenizer = tokenizer
        special_tokens = sorted(tokenizer.special_tokens, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, special_tokens)) or r"(?!)")
        if self._family.needs_language_codes():
            for language in _served_languages(entry):
                if not tokenizer.has_token(entry.languages[language]):
                    raise ModelLoadError(
                        f"{entry.id}: the tokenizer has no code {entry.languages[language]!r} for {language}: "
                        "correct [languages] in the catalog entry, or leave out what the model does not serve"
                    )

    def count_tokens(self, text: str) -> int:
        """See `Backend.count_tokens`."""
        return len(self._tokens(text))

    def translation(self, text: str, *, source: str, target: str) -> Prompt:
        """See `Backend.translation_prompt`."""
        direction = self._entry.direction(source, target)
        if direction is None:
            raise ModelError(f"{self._entry.id} does not translate {source} to {target}; see its catalog entry")
        tokens = self.count_tokens(text)
        if tokens > self._entry.limits.translate_input_tokens:
            raise InputTooLongError(tokens, self._entry.limits.translate_input_tokens)
        codes = self._entry.languages
        text = self._entry.prompts.translate.format(text=text, source_name=codes[source], target_name=codes[target])
        return self._prompt(text, source, target, direction.output_cap(tokens))

    def summary(self, text: str, *, language: str) -> Prompt:
        """See `Backend.summary_prompt`."""
        if language not in self._entry.summary_languages:
            raise ModelError(f"{self._entry.id} does not summarise in {language}; see its catalog entry")
        tokens = self.count_tokens(text)
        if tokens > self._entry.limits.summarize_input_tokens:
            raise InputTooLongError(tokens, self._entry.limits.summarize_input_tokens)
        text = self._entry.prompts.summarize.format(article=text, target_name=self._entry.languages[language])
        return self._prompt(text, language, language, self._entry.limits.summarize_output_tokens)

    def decode(self, tokens: Sequence[str]) -> str:
        """Join the tokens of an output into a text, without special tokens and without white space around it."""
        return self._tokenizer.detokenize(tokens).strip()

    def has_token(self, token: str) -> bool:
        """True if `token` is in the model's vocabulary."""
        return self._tokenizer.has_token(token)

    def _tokens(self, text: str) -> list[str]:
        # Some tokenizers take "</s>" in a text for the end token. A space inside keeps every letter and prevents that.
        return self._tokenizer.tokenize(self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text))

    def _prompt(self, text: str, source: str, target: str, cap: int) -> Prompt:
        codes = {_SOURCE: self._entry.languages[source], _TARGET: self._entry.languages[target]}
        encoder_prefix = tuple(codes.get(token, token) for token in self._family.encoder_prefix)
        target_prefix = tuple(codes.get(token, token) for token in self._family.target_prefix)
        tokens = (*encoder_prefix, *self._tokens(text), _END)
        positions = self._entry.limits.total_tokens
        if positions is None:
            return Prompt(tokens, cap, target_prefix)
        if len(tokens) > positions:
            raise InputTooLongError(len(tokens), positions)
        return Prompt(tokens, max(1, min(cap, positions - len(target_prefix) - 1)), target_prefix)


def _served_languages(entry: CatalogEntry) -> list[str]:
    pairs = [(direction.source, direction.target) for direction in entry.directions]
    return sorted({language for pair in pairs for language in pair} | set(entry.summary_languages))
