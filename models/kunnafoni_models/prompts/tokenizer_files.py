"""Tokenizers without the package transformers: from a `tokenizer.json`, or from sentencepiece models (M2M100, Marian).

It knows the contents of files, no folders and no families.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import tokenizers

from kunnafoni_models.extras import needs_extra

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# What the vocabularies of M2M100 and Marian have besides text: control tokens, language codes, unused entries.
_CONTROL = re.compile(r"<s>|</s>|<pad>|<unk>|__[a-z]+__|>>.+<<|madeupword\d+")


class JsonTokenizer:
    """A `tokenizer.json` as `encoder_decoder.Tokenizer`."""

    def __init__(self, tokenizer_json: bytes | bytearray) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_buffer(bytes(tokenizer_json))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        added = self._tokenizer.get_added_tokens_decoder().values()
        self.special_tokens = frozenset(token.content for token in added if token.special)

    def tokenize(self, text: str) -> list[str]:
        """See `Tokenizer`."""
        return self._tokenizer.encode(text, add_special_tokens=False).tokens

    def detokenize(self, tokens: Sequence[str]) -> str:
        """See `Tokenizer`."""
        ids = [self._tokenizer.token_to_id(token) for token in tokens]
        return self._tokenizer.decode([token_id for token_id in ids if token_id is not None], skip_special_tokens=True)

    def has_token(self, token: str) -> bool:
        """See `Tokenizer`."""
        return self._tokenizer.token_to_id(token) is not None


class SentencePieceTokenizer:
    """Sentencepiece models as `encoder_decoder.Tokenizer`.

    Args:
        source: The model that tokenises texts.
        target: The model that detokenises outputs.
        vocabulary: All tokens of the translation model, language codes included.
    """

    def __init__(self, source: bytes | bytearray, target: bytes | bytearray, vocabulary: Collection[str]) -> None:
        with needs_extra("ctranslate2", "a tokenizer of sentencepiece"):
            import sentencepiece  # noqa: PLC0415 - most models have a tokenizer.json, and a start should be quick

        self._source = sentencepiece.SentencePieceProcessor(model_proto=bytes(source))
        self._target = sentencepiece.SentencePieceProcessor(model_proto=bytes(target))
        self._vocabulary = frozenset(vocabulary)
        self.special_tokens = frozenset(token for token in vocabulary if _CONTROL.fullmatch(token))

    def tokenize(self, text: str) -> list[str]:
        """See `Tokenizer`."""
        return self._source.encode(text, out_type=str)

    def detokenize(self, tokens: Sequence[str]) -> str:
        """See `Tokenizer`."""
        pieces = [token for token in tokens if token not in self.special_tokens]
        return self._target.decode(pieces).replace("▁", " ")

    def has_token(self, token: str) -> bool:
        """See `Tokenizer`."""
        return token in self._vocabulary
