"""A vocabulary cut and grown: what texts are read as, which rows they get, and a run that starts from it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from kunnafoni_models.training.errors import RowsError, StartError
from kunnafoni_models.training.export import export_hugging_face
from kunnafoni_models.training.vocabulary import EMBEDDING, cut, grown
from kunnafoni_models.training.weights import Weights, read_weights
from tests.models.tiny_tokenizers import LINES, sentences
from tests.models.training.runs import ROWS, run

if TYPE_CHECKING:
    from pathlib import Path

BAMBARA = LINES[2::3]


@pytest.fixture(scope="module")
def whole(checkpoint: Path) -> Weights:
    return read_weights(checkpoint)


@pytest.fixture(scope="module")
def small(whole: Weights) -> Weights:
    """Cut to what `ROWS` and the Bambara lines need."""
    texts = [text for row in ROWS for text in (row.source, row.target)] + BAMBARA
    return cut(whole, {number for text in texts for number in tokenizer(whole).encode(text).ids})


def tokenizer(weights: Weights) -> Tokenizer:
    return Tokenizer.from_buffer(weights.tokenizer_json)


def pieces(weights: Weights, text: str) -> list[str]:
    return tokenizer(weights).encode(text, add_special_tokens=False).tokens


def test_a_cut_vocabulary_reads_its_texts_as_before(whole: Weights, small: Weights) -> None:
    assert small.architecture.vocabulary < whole.architecture.vocabulary
    assert small.tensors[EMBEDDING].shape[0] == small.architecture.vocabulary == tokenizer(small).get_vocab_size()
    old, new = tokenizer(whole), tokenizer(small)
    for text in [row.source for row in ROWS[:40]] + BAMBARA:
        assert pieces(small, text) == pieces(whole, text)
        assert torch.equal(
            whole.tensors[EMBEDDING][old.encode(text).ids], small.tensors[EMBEDDING][new.encode(text).ids]
        )
    assert "<start_of_turn>" not in new.get_vocab()


def test_what_a_tokenizer_puts_at_the_end_is_kept_under_its_new_number(whole: Weights) -> None:
    table = json.loads(whole.tokenizer_json)
    end, old = "<end_of_turn>", tokenizer(whole).get_vocab()
    parts = [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": end, "type_id": 0}}]
    special = {end: {"id": end, "ids": [old[end]], "tokens": [end]}}
    table["post_processor"] = {"type": "TemplateProcessing", "single": parts, "pair": parts, "special_tokens": special}
    new = tokenizer(cut(replace(whole, tokenizer_json=json.dumps(table).encode()), []))
    assert new.encode("x").ids[-1] == new.get_vocab()[end] < old[end]


@given(st.text())
def test_any_text_can_still_be_spelt(small: Weights, text: str) -> None:
    for weights in (small, grown(small, BAMBARA, most=20)):
        encoded = tokenizer(weights).encode(text, add_special_tokens=False)
        assert tokenizer(weights).decode(encoded.ids).replace("▁", " ") == text.replace("▁", " ")


def test_a_grown_vocabulary_spells_its_language_in_fewer_pieces(small: Weights) -> None:
    texts = [text for text in sentences(200) if any(letter in text for letter in "ɛɔɲŋ")]
    new = grown(small, texts, most=30)
    added = new.architecture.vocabulary - small.architecture.vocabulary
    assert 0 < added <= 30
    assert sum(len(pieces(new, text)) for text in texts) < sum(len(pieces(small, text)) for text in texts)
    assert torch.equal(new.tensors[EMBEDDING][:-added], small.tensors[EMBEDDING])
    for number in range(small.architecture.vocabulary, new.architecture.vocabulary):
        piece = tokenizer(new).id_to_token(number)
        assert piece
        assert piece.removeprefix("▁").isalpha()
        spelt = tokenizer(small).encode(piece.replace("▁", " "), add_special_tokens=False).ids
        assert torch.allclose(new.tensors[EMBEDDING][number], small.tensors[EMBEDDING][spelt].mean(0), atol=1e-6)
    again = grown(small, texts, most=30)
    assert again.tokenizer_json == new.tokenizer_json
    assert grown(small, [], most=30).architecture == small.architecture


def test_a_run_starts_from_it_and_transformers_loads_it(tmp_path: Path, checkpoint: Path, small: Weights) -> None:
    new = grown(small, BAMBARA * 2, most=10)
    added = new.architecture.vocabulary - small.architecture.vocabulary
    before = run(checkpoint, tmp_path / "whole", steps=1).dev_before
    outcome = run(new, tmp_path / "run", new_rows=added)
    # The same pieces, and fewer others that could be meant instead.
    assert all(outcome.dev_before[task] <= figure for task, figure in before.items())
    assert all(outcome.dev_after[task] < 0.8 * outcome.dev_before[task] for task in before)
    export_hugging_face(tmp_path / "run", tmp_path / "model")
    assert read_weights(tmp_path / "model").architecture == new.architecture


def test_tokenizers_of_another_kind(whole: Weights) -> None:
    table = json.loads(whole.tokenizer_json)
    table["model"]["byte_fallback"] = False
    with pytest.raises(StartError, match="falls back to bytes"):
        cut(replace(whole, tokenizer_json=json.dumps(table).encode()), [])


def test_a_tokenizer_with_more_tokens_than_the_model_has_rows(tmp_path: Path, whole: Weights) -> None:
    rows = whole.architecture.vocabulary
    table = json.loads(whole.tokenizer_json)
    image = {**table["added_tokens"][0], "id": rows, "content": "<image>"}
    table["added_tokens"].append(image)
    more = replace(whole, tokenizer_json=json.dumps(table).encode())
    assert run(more, tmp_path / "run", steps=1).steps == 1
    assert cut(more, range(rows)).architecture.vocabulary == rows
    few = replace(whole, architecture=replace(whole.architecture, vocabulary=300))
    with pytest.raises(RowsError, match=r"the tokenizer counts to .* and more, the model to 299"):
        run(few, tmp_path / "other", steps=1)
