"""The value types that every backend shares."""

from __future__ import annotations

import pytest

from kunnafoni_models.backend import Prompt


@pytest.mark.parametrize(
    ("tokens", "length_class"),
    [(0, 0), (7, 0), (8, 8), (43, 32), (44, 44), (63, 44), (64, 64), (95, 64), (96, 96), (111, 96), (300, 288)],
)
def test_a_length_class_is_the_length_rounded_down(tokens: int, length_class: int) -> None:
    assert Prompt(("la",) * tokens, max_output_tokens=10).length_class == length_class
