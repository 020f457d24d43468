"""Beam search: by itself on made-up logits, and on a decoder in comparison with CTranslate2's."""

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
from kunnafoni_models.decoding.sequence import DecodingSequence
from kunnafoni_models.gemma.decoder import GemmaDecoder
from kunnafoni_models.gemma.model_bin import read_decoder
from kunnafoni_models.gemma.onnx_graph import build_onnx_graph
from kunnafoni_models.importing.ctranslate2_conversion import convert
from tests.models.tiny_checkpoints import gemma3

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

END, A, B, C = range(4)
SLOTS, MAX_LENGTH, CAP = 8, 64, 20


def logits(*hypotheses: Mapping[int, float]) -> Any:
    """Logarithms of the given probabilities; those of other tokens are almost zero."""
    found = np.full((len(hypotheses), 8), 1e-6, np.float32)
    for scores, given in zip(found, hypotheses, strict=True):
        for token, probability in given.items():
            scores[token] = probability
    return np.log(found / found.sum(axis=1, keepdims=True))


def test_the_likeliest_output_is_found_though_it_begins_unlikely() -> None:
    beam = Beam(2, max_tokens=9)
    continuations = beam.advance([Hypothesis()], logits({A: 0.6, B: 0.4}), end_id=END)
    assert [(continuation.parent, continuation.hypothesis.tokens) for continuation in continuations] == [
        (0, [A]),
        (0, [B]),
    ]
    continuations = beam.advance(
        [continuation.hypothesis for continuation in continuations], logits({A: 0.5, C: 0.5}, {C: 1.0}), end_id=END
    )
    assert [(continuation.parent, continuation.hypothesis.tokens) for continuation in continuations] == [
        (1, [B, C]),
        (0, [A, A]),
    ]
    assert np.exp([continuation.hypothesis.score for continuation in continuations]) == pytest.approx(
        [0.4, 0.3], rel=1e-3
    )
    continuations = beam.advance(
        [continuation.hypothesis for continuation in continuations], logits({END: 1.0}, {END: 1.0}), end_id=END
    )
    assert (continuations, beam.best.tokens) == ([], [B, C])


def test_the_best_hypothesis_has_the_highest_score_per_token() -> None:
    beam = Beam(2, max_tokens=9)
    [first, second] = beam.advance([Hypothesis()], logits({A: 0.5, B: 0.3, END: 0.2}), end_id=END)
    continuing = [first.hypothesis, second.hypothesis]
    continuations = beam.advance(continuing, logits({END: 0.8, C: 0.2}, {C: 0.9, A: 0.1}), end_id=END)
    assert [each.tokens for _, each in beam.finished] == [[A]]
    assert [continuation.hypothesis.tokens for continuation in continuations] == [[B, C], [A, C]]
    continuations = beam.advance(
        [continuation.hypothesis for continuation in continuations], logits({END: 1.0}, {C: 1.0}), end_id=END
    )
    # ln(0.4) / 2 is less than ln(0.27) / 3.
    assert (continuations, beam.best.tokens) == ([], [B, C])


def test_an_unlikely_end_is_not_taken() -> None:
    beam = Beam(2, max_tokens=9)
    continuations = beam.advance([Hypothesis()], logits({A: 0.5, B: 0.3, END: 0.2}), end_id=END)
    assert ([continuation.hypothesis.tokens for continuation in continuations], beam.finished) == ([[A], [B]], [])


def test_at_the_cap_unfinished_hypotheses_compete() -> None:
    beam = Beam(2, max_tokens=1)
    assert beam.advance([Hypothesis()], logits({A: 0.6, B: 0.4}), end_id=END) == []
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
    graph = build_onnx_graph(sizes, parameters, positions=MAX_LENGTH, int8=False)
    decoder = GemmaDecoder(*graph, slots=2 * SLOTS, threads=1)
    vocabulary = json.loads((checkpoint / "vocabulary.json").read_text("utf-8"))
    generator: Any = cast("Any", ctranslate2).Generator(str(checkpoint), compute_type="float32")
    prompts = [[2, first, second, 9] for first in range(3, 13) for second in (5, 40)]

    def ctranslate2_outputs(end: str, **options: int) -> list[list[int]]:
        starts = ([vocabulary[token] for token in prompt] for prompt in prompts)
        options |= {"max_length": CAP, "include_prompt_in_result": False}
        return [generator.generate_batch([start], end_token=end, **options)[0].sequences_ids[0] for start in starts]

    greedy = Counter(token for output in ctranslate2_outputs("<eos>") for token in output)
    for end, _ in greedy.most_common(3):  # random weights hardly ever produce the real one
        batcher = ContinuousBatcher(decoder, end_id=end, slots=SLOTS, max_length=MAX_LENGTH, max_tokens=2000)
        finished: SimpleQueue[DecodingSequence] = SimpleQueue()
        made = [DecodingSequence(prompt, CAP, decoding, finished.put) for prompt in prompts]
        batcher.add(made)
        for _ in made:
            assert finished.get(timeout=60).error is None
        batcher.close()
        assert [list(sequence.output) for sequence in made] == ctranslate2_outputs(vocabulary[end], **asdict(decoding))
