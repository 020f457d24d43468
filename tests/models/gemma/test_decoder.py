"""The decoder on ONNX Runtime beside transformers, on tiny checkpoints with the converter's real files."""

from __future__ import annotations

import mmap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import transformers

from kunnafoni_models.gemma.architecture import ArchitectureError
from kunnafoni_models.gemma.decoder import GemmaDecoder, saturates_int8
from kunnafoni_models.gemma.model_bin import read_decoder
from kunnafoni_models.gemma.onnx_graph import build_onnx_graph
from kunnafoni_models.importing.ctranslate2_conversion import convert
from tests.models.tiny_checkpoints import gemma3

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

PROMPTS = [[2, 5, 9, 14, 3, 8], [2, 7], [2, *range(3, 40)], [2, 11, 11, 11]]
NEXT = [[6, 12, 4], [9, 3, 10], [13, 5, 7], [8, 8, 2]]


@pytest.fixture(scope="module", params=[(512, 1), (8, 2)], ids=["wide", "sliding window, two key heads"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gemma")
    window, key_heads = request.param
    gemma3(folder, window=window, key_heads=key_heads)
    return folder


def decoder(checkpoint: Path, kind: str, *, int8: bool) -> GemmaDecoder:
    into = checkpoint / kind
    if not into.exists():
        convert(checkpoint, into, quantization=kind)
    sizes, parameters = read_decoder((into / "model.bin").read_bytes())
    model, constants = build_onnx_graph(sizes, parameters, positions=64, int8=int8)
    return GemmaDecoder(model, constants, slots=6, threads=2)


def scores(model: GemmaDecoder, prompts: Sequence[Sequence[int]], after: Sequence[Sequence[int]]) -> NDArray[Any]:
    """Logits, sequences x steps x vocabulary: after the prompts, and after each token that follows."""
    found = [model.prefill(0, prompts)]
    for number, tokens in enumerate(zip(*after, strict=True)):
        found.append(model.decode_step(0, tokens, [len(prompt) + number for prompt in prompts]))
    return np.stack([each.logits(range(len(prompts))) for each in found], axis=1)


def expected(checkpoint: Path) -> list[NDArray[Any]]:
    auto: Any = transformers.Gemma3ForCausalLM
    model = auto.from_pretrained(checkpoint, dtype=torch.float32)
    found: list[NDArray[Any]] = []
    for prompt, after in zip(PROMPTS, NEXT, strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *after]])).logits[0]
        found.append(logits[len(prompt) - 1 :].numpy())
    return found


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_in_float32_the_logits_are_those_of_transformers(checkpoint: Path, kind: str) -> None:
    found = scores(decoder(checkpoint, kind, int8=False), PROMPTS, NEXT)
    tolerance = 2e-4 if kind == "float32" else 0.2
    for logits, reference in zip(found, expected(checkpoint), strict=True):
        np.testing.assert_allclose(logits, reference, atol=tolerance * np.abs(reference).max())


@pytest.mark.parametrize("int8", [True, False])
def test_logits_of_int8_are_near_those_of_transformers(checkpoint: Path, int8: bool) -> None:
    found = scores(decoder(checkpoint, "int8", int8=int8), PROMPTS, NEXT)
    for logits, reference in zip(found, expected(checkpoint), strict=True):
        for one, other in zip(logits, reference, strict=True):
            assert np.corrcoef(one, other)[0, 1] > 0.98
            assert one.std() == pytest.approx(other.std(), rel=0.1)


def test_a_sequence_has_the_same_scores_alone_in_a_batch_and_in_another_slot(checkpoint: Path) -> None:
    model = decoder(checkpoint, "int8", int8=True)
    together = scores(model, PROMPTS, NEXT)
    for index, (prompt, after) in enumerate(zip(PROMPTS, NEXT, strict=True)):
        np.testing.assert_array_equal(scores(model, [prompt], [after])[0], together[index])
    model.prefill(0, PROMPTS[:1])
    model.prefill(1, PROMPTS[1:])
    model.copy_slot(3, 0, start=0, stop=len(PROMPTS[3]))
    after = [NEXT[3][0], NEXT[1][0], NEXT[2][0]]
    cached_tokens = [len(PROMPTS[index]) for index in (3, 1, 2)]
    np.testing.assert_array_equal(model.decode_step(0, after, cached_tokens).logits(range(3)), together[[3, 1, 2], 1])
    np.testing.assert_array_equal(
        model.decode_step(1, after[1:], cached_tokens[1:]).logits(range(2)), together[[1, 2], 1]
    )


def test_memory_of_the_slots_is_released_and_taken_anew(checkpoint: Path) -> None:
    model = decoder(checkpoint, "int8", int8=True)
    before = scores(model, PROMPTS, NEXT)
    model.release_memory()
    cache: Any = getattr(model, "_cache")  # noqa: B009 - its content has no public name
    assert not cache.array.any()
    np.testing.assert_array_equal(scores(model, PROMPTS, NEXT), before)


def test_trimming_a_slot_releases_the_memory_of_a_long_sequence_and_nothing_else(checkpoint: Path) -> None:
    sizes, parameters = read_decoder((checkpoint / "int8" / "model.bin").read_bytes())
    model = GemmaDecoder(*build_onnx_graph(sizes, parameters, positions=320, int8=True), slots=3, threads=1)
    model.prefill(0, [[2, *range(3, 303)]] * 3)
    cache: Any = getattr(model, "_cache")  # noqa: B009 - its content has no public name
    before = cache.array.copy()
    model.trim_slot(1, 40)
    page = mmap.PAGESIZE // (4 * sizes.head_size)  # tokens of a head
    assert not cache.array[:, 1, :, 40 + page : 320 - page].any()
    np.testing.assert_array_equal(cache.array[:, 1, :, :40], before[:, 1, :, :40])
    np.testing.assert_array_equal(cache.array[:, ::2], before[:, ::2])
    model.release_slots(1, 2)
    assert not cache.array[:, 1:, :, page:-page].any()
    np.testing.assert_array_equal(cache.array[:, 0], before[:, 0])


def test_weights_of_another_type_are_refused(checkpoint: Path) -> None:
    with pytest.raises(ArchitectureError, match="set compute_type to float32"):
        decoder(checkpoint, "float32", int8=True)


def test_heads_of_an_unsupported_size_are_refused(checkpoint: Path) -> None:
    sizes, parameters = read_decoder((checkpoint / "int8" / "model.bin").read_bytes())
    with pytest.raises(ArchitectureError, match="its heads are 8 wide, no multiple of 16"):
        build_onnx_graph(replace(sizes, head_size=8), parameters, positions=64, int8=True)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("flags\t\t: fpu sse4_2 avx2 avx512f\nbugs\t: avx_vnni\n", True),
        ("flags\t\t: fpu avx2 avx_vnni\n", False),
        ("flags\t\t: fpu avx512f avx512_vnni\n", False),
        ("Features\t: fp asimd asimddp i8mm\n", False),  # ARM
    ],
)
def test_processors_that_saturate_are_recognised(tmp_path: Path, flags: str, expected: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}", "utf-8")
    assert saturates_int8(tmp_path / "cpuinfo") == expected


def test_a_processor_that_saturates_gives_the_same_scores(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = scores(decoder(checkpoint, "int8", int8=True), PROMPTS, NEXT)
    monkeypatch.setattr("kunnafoni_models.gemma.decoder.saturates_int8", lambda: True)
    np.testing.assert_array_equal(scores(decoder(checkpoint, "int8", int8=True), PROMPTS, NEXT), before)
