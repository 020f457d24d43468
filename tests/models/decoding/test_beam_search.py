"""The search by beams: by itself on made-up logits, and on a decoder beside CTranslate2's own."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, cast

import ctranslate2  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
import pytest

from kunnafoni_models.backend import Decoding
from kunnafoni_models.decoding.beam_search import Beam, Hypothesis
from kunnafoni_models.decoding.continuous_batching import ContinuousBatcher
from kunnafoni_models.decoding.kv_cache_slots import DecodingSequence
from kunnafoni_models.gemma.decoder import GemmaDecoder
from kunnafoni_models.gemma.model_bin import read_decoder
from kunnafoni_models.gemma.onnx_graph import build_onnx_graph
from kunnafoni_models.importing.ctranslate2_conversion import convert
from tests.models.tiny_checkpoints import gemma3

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

END, A, B, C = range(4)
SEATS, POSITIONS, CAP = 8, 64, 20


def logits(*rows: Mapping[int, float]) -> Any:
    """Logarithms of the probabilities that are given; of the rest, next to nothing."""
    found = np.full((len(rows), 8), 1e-6, np.float32)
    for row, given in zip(found, rows, strict=True):
        for token, probability in given.items():
            row[token] = probability
    return np.log(found / found.sum(axis=1, keepdims=True))


def test_the_likeliest_whole_is_found_though_it_begins_unlikely() -> None:
    beam = Beam(2, max_tokens=9)
    children = beam.advance([Hypothesis()], logits({A: 0.6, B: 0.4}), end=END)
    assert [(child.parent, child.hypothesis.tokens) for child in children] == [(0, [A]), (0, [B])]
    children = beam.advance([child.hypothesis for child in children], logits({A: 0.5, C: 0.5}, {C: 1.0}), end=END)
    assert [(child.parent, child.hypothesis.tokens) for child in children] == [(1, [B, C]), (0, [A, A])]
    assert np.exp([child.hypothesis.score for child in children]) == pytest.approx([0.4, 0.3], rel=1e-3)
    children = beam.advance([child.hypothesis for child in children], logits({END: 1.0}, {END: 1.0}), end=END)
    assert (children, beam.best.tokens) == ([], [B, C])


def test_a_hypothesis_that_ends_makes_room_and_the_best_is_the_likeliest_a_token() -> None:
    beam = Beam(2, max_tokens=9)
    [first, second] = beam.advance([Hypothesis()], logits({A: 0.5, B: 0.3, END: 0.2}), end=END)
    going = [first.hypothesis, second.hypothesis]
    children = beam.advance(going, logits({END: 0.8, C: 0.2}, {C: 0.9, A: 0.1}), end=END)
    assert [each.tokens for _, each in beam.ended] == [[A]]
    assert [child.hypothesis.tokens for child in children] == [[B, C], [A, C]]
    children = beam.advance([child.hypothesis for child in children], logits({END: 1.0}, {C: 1.0}), end=END)
    # ln(0.4) / 2 is less than ln(0.27) / 3.
    assert (children, beam.best.tokens) == ([], [B, C])


def test_an_end_that_is_unlikely_is_not_taken() -> None:
    beam = Beam(2, max_tokens=9)
    children = beam.advance([Hypothesis()], logits({A: 0.5, B: 0.3, END: 0.2}), end=END)
    assert ([child.hypothesis.tokens for child in children], beam.ended) == ([[A], [B]], [])


def test_at_the_cap_what_there_is_competes() -> None:
    beam = Beam(2, max_tokens=1)
    assert beam.advance([Hypothesis()], logits({A: 0.6, B: 0.4}), end=END) == []
    assert beam.best.tokens == [A]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gemma")
    gemma3(folder)
    convert(folder, folder / "float32", quantization="float32")
    return folder / "float32"


@pytest.mark.parametrize(
    "decoding",
    [
        Decoding(beam_size=4),
        Decoding(beam_size=3, repetition_penalty=1.3),
        Decoding(beam_size=2, no_repeat_ngram_size=2),
        Decoding(no_repeat_ngram_size=1),
        Decoding(no_repeat_ngram_size=3, repetition_penalty=0.7),
    ],
    ids=str,
)
def test_it_finds_what_ctranslate2_finds(checkpoint: Path, decoding: Decoding) -> None:
    sizes, parameters = read_decoder((checkpoint / "model.bin").read_bytes())
    graph = build_onnx_graph(sizes, parameters, positions=POSITIONS, int8=False)
    decoder = GemmaDecoder(*graph, seats=2 * SEATS, threads=1)
    words = json.loads((checkpoint / "vocabulary.json").read_text("utf-8"))
    other: Any = cast("Any", ctranslate2).Generator(str(checkpoint), compute_type="float32")
    prompts = [[2, first, second, 9] for first in range(3, 13) for second in (5, 40)]

    def theirs(end: str, **options: int) -> list[list[int]]:
        starts = ([words[token] for token in prompt] for prompt in prompts)
        options |= {"max_length": CAP, "include_prompt_in_result": False}
        return [other.generate_batch([start], end_token=end, **options)[0].sequences_ids[0] for start in starts]

    greedy = Counter(token for answer in theirs("<eos>") for token in answer)
    for end, _ in greedy.most_common(3):  # random weights hardly ever say the true one
        rows = ContinuousBatcher(decoder, end=end, seats=SEATS, positions=POSITIONS, max_tokens=2000)
        ended: SimpleQueue[DecodingSequence] = SimpleQueue()
        made = [DecodingSequence(prompt, CAP, decoding, ended.put) for prompt in prompts]
        rows.add(made)
        for _ in made:
            assert ended.get(timeout=60).error is None
        rows.close()
        assert [list(row.tokens) for row in made] == theirs(words[end], **asdict(decoding))
