from __future__ import annotations

from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni_models.decoding.repetition import LoopDetector


def stops_after(tokens: list[int]) -> int | None:
    """How many tokens pass before the detector stops; None if all pass."""
    detector = LoopDetector()
    return next((count for count, token in enumerate(tokens, 1) if detector.loops_at(token)), None)


@pytest.mark.parametrize("period", [1, 2, 3, 5, 8, 13, 30])
def test_a_loop_is_found_whatever_its_period(period: int) -> None:
    before = list(range(1000, 1040))
    stopped = stops_after(before + list(islice(cycle(range(period)), 400)))
    assert stopped is not None
    assert 12 <= stopped - len(before) <= max(12, 2 * period) + period + 4


@given(st.lists(st.integers(0, 2), max_size=12))
def test_short_sequences_pass(tokens: list[int]) -> None:
    assert stops_after(tokens) is None


@given(st.lists(st.integers(), unique=True, max_size=60))
def test_a_text_repeated_once_passes(tokens: list[int]) -> None:
    assert stops_after(tokens + tokens) is None


def test_a_list_with_a_refrain_passes() -> None:
    refrain = [7, 8, 9, 10, 11, 12]
    assert stops_after([token for verse in range(20) for token in (100 + verse, *refrain)]) is None
