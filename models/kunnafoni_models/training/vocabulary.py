"""Vocabulary surgery: cut to the pieces that some rows need, and grown by pieces of a language that it spells badly.

It knows tokenizers of Gemma's kind (byte-pair encoding, bytes for what has no piece, `▁` for a space) and the one
matrix that has a row a piece. It does not know which rows or which language are wanted, and it trains nothing.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from kunnafoni_models.training.errors import StartError
from kunnafoni_models.training.hugging_face import SPECIAL_TOKENS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from torch import Tensor

    from kunnafoni_models.training.weights import Weights

    Ranks = Mapping[tuple[str, str], int]

EMBEDDING = "model.embed_tokens.weight"
_SPACE = "▁"
_BYTES = frozenset(f"<0x{byte:02X}>" for byte in range(256))
# Each piece is one character while merges are learnt: these are no white space and no surrogates.
_FIRST_CHARACTER = 0x20000
# What occurs once is a name or a slip.
_LEAST_OFTEN = 2


def cut(weights: Weights, used: Collection[int]) -> Weights:
    """Leave out the pieces that are not needed, with their rows.

    Kept are the pieces `used`, every piece that the tokenizer goes through on the way to one of them, the special
    tokens, the bytes, and the letters of the Latin script: texts in which `used` are all the pieces are read as
    before, and any other text can still be spelt.

    Raises:
        StartError: The tokenizer is of another kind.
    """
    table = _table(weights)
    vocabulary: dict[str, int] = table["model"]["vocab"]
    ranks: dict[tuple[str, str], int] = {(a, b): rank for rank, (a, b) in enumerate(table["model"]["merges"])}
    named = {number: piece for piece, number in vocabulary.items()}
    # What the tokenizer puts around a text.
    processor: dict[str, Any] = table.get("post_processor") or {}
    around: dict[str, Any] = processor.get("special_tokens", {})
    latin = (piece for piece in vocabulary if _is_latin(piece))
    wanted = {*(named[number] for number in used), *_BYTES, *SPECIAL_TOKENS.values(), *around, *latin}
    parts = {part for piece in wanted for part in _on_the_way(piece, ranks)}
    kept = sorted((wanted | parts) & vocabulary.keys(), key=vocabulary.__getitem__)
    rows = weights.tensors[EMBEDDING][torch.tensor([vocabulary[piece] for piece in kept])]
    numbers = {piece: number for number, piece in enumerate(kept)}
    table["model"]["vocab"] = numbers
    table["model"]["merges"] = [[a, b] for a, b in ranks if {a, b, a + b} <= numbers.keys()]
    table["added_tokens"] = [
        {**token, "id": numbers[token["content"]]} for token in table["added_tokens"] if token["content"] in numbers
    ]
    for name, token in around.items():
        token["ids"] = [numbers[name]]
    return _changed(weights, table, rows)


def grown(weights: Weights, texts: Iterable[str], *, most: int) -> Weights:
    """Add pieces: the merges that occur most often in the words of `texts`, as byte-pair encoding learns them.

    They come after the tokenizer's own, and only letters are merged. A new piece's row is the mean of the rows of the
    pieces that spelt it. The new rows are the last ones.

    Args:
        weights: Where to add.
        texts: Of the language that is to be spelt better. The same texts give the same pieces.
        most: Pieces to add; fewer are if `texts` do not have so many.

    Raises:
        StartError: The tokenizer is of another kind.
    """
    table = _table(weights)
    numbers: dict[str, int] = table["model"]["vocab"]
    named = {number: piece for piece, number in numbers.items()}
    embedding = weights.tensors[EMBEDDING]
    rows: list[Tensor] = []
    for left, right in _learnt_merges(_runs(weights.tokenizer_json, texts), most):
        table["model"]["merges"].append([_spelt(left, named), _spelt(right, named)])
        if (piece := _spelt(left + right, named)) not in numbers:
            numbers[piece] = len(embedding) + len(rows)
            rows.append(embedding[[ord(each) - _FIRST_CHARACTER for each in left + right]].mean(0, keepdim=True))
    return _changed(weights, table, torch.cat([embedding, *rows]))


def _table(weights: Weights) -> dict[str, Any]:
    """The tokenizer as JSON has it, with added tokens among the others and each merge as a list of two."""
    table: dict[str, Any] = json.loads(weights.tokenizer_json)
    model = table["model"]
    if model["type"] != "BPE" or not model.get("byte_fallback"):
        raise StartError("the tokenizer is no byte-pair encoding that falls back to bytes: leave [vocabulary] out")
    model["vocab"] |= {token["content"]: token["id"] for token in table["added_tokens"]}
    # A token without a row is one that the model was never given, as Gemma's for images.
    rows = weights.architecture.vocabulary
    model["vocab"] = {piece: number for piece, number in model["vocab"].items() if number < rows}
    model["merges"] = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
    return table


def _changed(weights: Weights, table: dict[str, Any], embedding: Tensor) -> Weights:
    return replace(
        weights,
        architecture=replace(weights.architecture, vocabulary=len(embedding)),
        tensors={**weights.tensors, EMBEDDING: embedding},
        tokenizer_json=json.dumps(table, ensure_ascii=False).encode(),
    )


def _is_latin(piece: str) -> bool:
    return len(piece) == 1 and unicodedata.name(piece, "").startswith("LATIN ")


def _on_the_way(piece: str, ranks: Ranks) -> Iterator[str]:
    """Every piece that byte-pair encoding makes on the way to `piece`, from its characters on."""
    symbols = list(piece)
    yield from symbols
    while found := [(ranks[pair], at) for at, pair in enumerate(pairwise(symbols)) if pair in ranks]:
        at = min(found)[1]
        symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]
        yield symbols[at]


def _runs(tokenizer_json: bytes, texts: Iterable[str]) -> Iterator[str]:
    """The words of `texts` as runs of pieces that are letters, each piece as one character."""
    tokenizer = Tokenizer.from_buffer(tokenizer_json)
    words = [f" {word}" for text in texts for word in text.split()]
    for encoded in tokenizer.encode_batch(words, add_special_tokens=False):
        run = ""
        for number, piece in zip(encoded.ids, encoded.tokens, strict=True):
            if piece == _SPACE or piece.removeprefix(_SPACE).isalpha():
                run += chr(_FIRST_CHARACTER + number)
            elif run:
                yield run
                run = ""
        if run:
            yield run


def _learnt_merges(runs: Iterable[str], most: int) -> list[tuple[str, str]]:
    """The merges of characters that byte-pair encoding learns from `runs`, most frequent first."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    found = list(runs)
    alphabet = len(set("".join(found)))
    trainer = trainers.BpeTrainer(vocab_size=alphabet + most, min_frequency=_LEAST_OFTEN, show_progress=False)
    learner.train_from_iterator(found, trainer)
    return [(left, right) for left, right in json.loads(learner.to_str())["model"]["merges"]]


def _spelt(characters: str, named: Mapping[int, str]) -> str:
    return "".join(named[ord(each) - _FIRST_CHARACTER] for each in characters)
