"""The value types that every backend shares."""

from __future__ import annotations

import pytest

from kunnafoni_models.backend import Prompt, filled_length


@pytest.mark.parametrize(
    ("tokens", "length_bucket"),
    [(0, 0), (7, 0), (8, 8), (47, 32), (48, 48), (63, 48), (64, 64), (95, 64), (96, 96), (111, 96), (300, 288)],
)
def test_a_length_bucket_is_the_length_rounded_down(tokens: int, length_bucket: int) -> None:
    assert Prompt(("la",) * tokens, max_output_tokens=10).length_bucket == length_bucket


@pytest.mark.parametrize(("tokens", "filled"), [(1, 16), (16, 16), (17, 32), (64, 64), (65, 96), (97, 128), (260, 288)])
def test_a_filled_prompt_has_the_next_of_few_lengths(tokens: int, filled: int) -> None:
    assert filled_length(tokens) == filled


def test_no_two_filled_lengths_share_a_bucket() -> None:
    lengths = sorted({filled_length(tokens) for tokens in range(1, 600)})
    assert [Prompt(("la",) * length, max_output_tokens=10).length_bucket for length in lengths] == lengths
