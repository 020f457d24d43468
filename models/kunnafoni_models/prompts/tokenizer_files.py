"""Tokenizers that need no transformers: from `tokenizer.json`, or from sentencepiece models as M2M100 and Marian have.

It knows file contents, not folders nor families.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from kunnafoni_models.extras import needs_extra

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# Tokens that M2M100's and Marian's vocabularies have beside the pieces: control tokens, language codes, spare places.
_CONTROL = re.compile(r"<s>|</s>|<pad>|<unk>|__[a-z]+__|>>.+<<|madeupword\d+")


class JsonTokenizer:
    """A `tokenizer.json` as `families.Pieces`."""

    def __init__(self, tokenizer_json: bytes | bytearray) -> None:
        self._tokenizer = Tokenizer.from_buffer(bytes(tokenizer_json))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        added = self._tokenizer.get_added_tokens_decoder().values()
        self.special = frozenset(token.content for token in added if token.special)

    def tokens(self, text: str) -> list[str]:
        """See `Pieces`."""
        return self._tokenizer.encode(text, add_special_tokens=False).tokens

    def text(self, tokens: Sequence[str]) -> str:
        """See `Pieces`."""
        ids = [self._tokenizer.token_to_id(token) for token in tokens]
        return self._tokenizer.decode([number for number in ids if number is not None], skip_special_tokens=True)

    def knows(self, token: str) -> bool:
        """See `Pieces`."""
        return self._tokenizer.token_to_id(token) is not None


class SentencePieceTokenizer:
    """Sentencepiece models as `families.Pieces`.

    Args:
        source: Cuts texts.
        target: Puts answers together.
        vocabulary: All tokens of the model, language codes among them.
    """

    def __init__(self, source: bytes | bytearray, target: bytes | bytearray, vocabulary: Collection[str]) -> None:
        with needs_extra("ctranslate2", "a tokenizer of sentencepiece"):
            import sentencepiece  # noqa: PLC0415 - most models have a tokenizer.json, and starts are to be quick

        self._source = sentencepiece.SentencePieceProcessor(model_proto=bytes(source))
        self._target = sentencepiece.SentencePieceProcessor(model_proto=bytes(target))
        self._vocabulary = frozenset(vocabulary)
        self.special = frozenset(token for token in vocabulary if _CONTROL.fullmatch(token))

    def tokens(self, text: str) -> list[str]:
        """See `Pieces`."""
        return self._source.encode(text, out_type=str)

    def text(self, tokens: Sequence[str]) -> str:
        """See `Pieces`."""
        pieces = [token for token in tokens if token not in self.special]
        return self._target.decode(pieces).replace("▁", " ")

    def knows(self, token: str) -> bool:
        """See `Pieces`."""
        return token in self._vocabulary
