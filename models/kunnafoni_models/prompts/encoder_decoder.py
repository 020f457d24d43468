"""Families of encoder-decoder models: how each one is told the languages, and how texts become prompts for it.

It knows tokens as strings and limits as the catalog entry gives them. It does not know which runtime reads the prompts
nor which library cuts texts into tokens: that is a `Pieces`.
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
    """Tokens around a text. `{source}` and `{target}` stand for the codes that the entry gives to the languages.

    Attributes:
        before: Tokens before the text, in the encoder.
        target_prefix: First tokens of the answer, after the token that starts every answer.
    """

    before: tuple[str, ...] = ()
    target_prefix: tuple[str, ...] = ()

    def names_languages(self) -> bool:
        """True if the codes of the languages must be tokens of the model."""
        return any("{" in token for token in (*self.before, *self.target_prefix))


# Every family ends the encoder's input with </s>. NLLB and M2M100: the source code comes first since transformers 4.30
# (Costa-jussà et al. 2022, section 6; before that release it came last, as a bug). mBART-50: Tang et al. 2020.
# MADLAD-400: Kudugunta et al. 2023. BART's answers begin with <s> by `forced_bos_token_id` of its checkpoints.
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


class Pieces(Protocol):
    """Cuts texts into a model's tokens and puts tokens together again. Safe from any thread."""

    @property
    def special(self) -> frozenset[str]:
        """Tokens that never stand for text."""
        ...

    def tokens(self, text: str) -> list[str]:
        """Cut `text`, without special tokens around it."""
        ...

    def text(self, tokens: Sequence[str]) -> str:
        """Put `tokens` together; special ones are left out."""
        ...

    def knows(self, token: str) -> bool:
        """True if `token` is in the model's vocabulary."""
        ...


class EncoderDecoderPromptWriter:
    """Writes the prompts of one encoder-decoder model; safe from any thread.

    `limits.total_tokens` of the entry, where it is given, is the number of positions that the encoder and the decoder
    have each: an answer's cap is lowered to it.

    Args:
        entry: Gives family (option `family`), templates, codes, limits and caps.
        pieces: The model's tokenizer.

    Raises:
        ModelLoadError: The family is unknown, or the tokenizer lacks the code of a language that the entry serves.
    """

    def __init__(self, entry: CatalogEntry, pieces: Pieces) -> None:
        name = str(entry.options.get("family", ""))
        if name not in FAMILIES:
            raise ModelLoadError(f"{entry.id}: the option family is {name!r}; it may be {', '.join(FAMILIES)}")
        self._entry = entry
        self._family = FAMILIES[name]
        self._pieces = pieces
        self._special = re.compile("|".join(map(re.escape, sorted(pieces.special, key=len, reverse=True))) or r"(?!)")
        if self._family.names_languages():
            for language in _served(entry):
                if not pieces.knows(entry.languages[language]):
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
        written = self._entry.prompts.translate.format(text=text, source_name=codes[source], target_name=codes[target])
        return self._prompt(written, source, target, direction.output_cap(tokens))

    def summary(self, text: str, *, language: str) -> Prompt:
        """See `Backend.summary_prompt`."""
        if language not in self._entry.summary_languages:
            raise ModelError(f"{self._entry.id} does not summarise in {language}; see its catalog entry")
        tokens = self.count_tokens(text)
        if tokens > self._entry.limits.summarize_input_tokens:
            raise InputTooLongError(tokens, self._entry.limits.summarize_input_tokens)
        written = self._entry.prompts.summarize.format(article=text, target_name=self._entry.languages[language])
        return self._prompt(written, language, language, self._entry.limits.summarize_output_tokens)

    def text(self, tokens: Sequence[str]) -> str:
        """Put an answer together, without special tokens and without white space around it."""
        return self._pieces.text(tokens).strip()

    def knows(self, token: str) -> bool:
        """True if `token` is in the model's vocabulary."""
        return self._pieces.knows(token)

    def _tokens(self, text: str) -> list[str]:
        # Some tokenizers take "</s>" in a text for the end. A space inside keeps every letter and is no end.
        return self._pieces.tokens(self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text))

    def _prompt(self, written: str, source: str, target: str, cap: int) -> Prompt:
        codes = {_SOURCE: self._entry.languages[source], _TARGET: self._entry.languages[target]}
        before = tuple(codes.get(token, token) for token in self._family.before)
        prefix = tuple(codes.get(token, token) for token in self._family.target_prefix)
        tokens = (*before, *self._tokens(written), _END)
        positions = self._entry.limits.total_tokens
        if positions is None:
            return Prompt(tokens, cap, prefix)
        if len(tokens) > positions:
            raise InputTooLongError(len(tokens), positions)
        return Prompt(tokens, max(1, min(cap, positions - len(prefix) - 1)), prefix)


def _served(entry: CatalogEntry) -> list[str]:
    pairs = [(each.source, each.target) for each in entry.directions]
    return sorted({language for pair in pairs for language in pair} | set(entry.summary_languages))
