"""The order of rows: budgets, chances, places."""

from __future__ import annotations

from collections import Counter
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni_models.training.batches import Place, batches, epoch_order
from kunnafoni_models.training.encoding import EncodedRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

LENGTHS = st.lists(st.integers(2, 64), min_size=1, max_size=200)


def encoded(lengths: list[int], chances: list[float] | None = None) -> EncodedRows:
    """Rows of these lengths; what they say does not matter here."""
    starts: NDArray[np.int64] = np.cumsum([0, *lengths], dtype=np.int64)
    ones = np.ones(len(lengths), np.int64)
    return EncodedRows(np.zeros(sum(lengths), np.int32), starts, ones, ones, np.array(chances or ones, np.float64), 0)


@given(LENGTHS, st.integers(64, 512), st.integers(0, 3))
def test_an_epoch_has_every_row_once_within_the_budget(lengths: list[int], budget: int, epoch: int) -> None:
    order = epoch_order(encoded(lengths), batch_tokens=budget, seed=1, epoch=epoch)
    taken = [[int(number) for number in numbers] for numbers in order]
    assert sorted(chain.from_iterable(taken)) == list(range(len(lengths)))
    for numbers in taken:
        longest = max(lengths[number] for number in numbers)
        assert len(numbers) * -(-longest // 4) * 4 <= budget


@given(LENGTHS, st.integers(0, 40))
def test_a_place_is_where_the_order_goes_on(lengths: list[int], at: int) -> None:
    rows = encoded(lengths)
    whole = list(islice(batches(rows, batch_tokens=64, seed=3), at + 5))
    place = whole[at - 1][1] if at else Place()
    again = islice(batches(rows, batch_tokens=64, seed=3, place=place), 5)
    assert [(list(numbers), place) for numbers, place in again] == [(list(a), b) for a, b in whole[at:]]


def test_chances_are_how_often_a_row_is_taken() -> None:
    rows = encoded([8] * 4, [1.0, 2.0, 0.25, 1.5])
    taken = Counter(
        int(number)
        for epoch in range(400)
        for numbers in epoch_order(rows, batch_tokens=64, seed=0, epoch=epoch)
        for number in numbers
    )
    assert (taken[0], taken[1]) == (400, 800)
    assert 60 < taken[2] < 140
    assert 540 < taken[3] < 660
    orders = [epoch_order(encoded([8] * 50), batch_tokens=64, seed=0, epoch=epoch)[0].tolist() for epoch in (0, 1)]
    assert orders[0] != orders[1]
