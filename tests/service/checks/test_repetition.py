"""Loops are found, ordinary repetition is small."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni.checks.mentions.repetition import most_repeated


@pytest.mark.parametrize(
    ("text", "times", "repeated"),
    [
        ("very very good", 2, "very"),
        ("ka ɲi ka ɲi ka ɲi", 3, "ka ɲi ka ɲi"),
        ("A ye a ta, o kɔ a taara. A ye a ta, o kɔ a segira.", 2, "A ye a"),
        ("oui " + "la la " * 50, 100, "la " * 98 + "la"),
        ("haha" * 6, 12, "ha" * 11),
    ],
)
def test_what_is_repeated(text: str, times: int, repeated: str) -> None:
    found = most_repeated(text)
    assert found
    assert found.times == times
    assert text[found.span.start : found.span.end] == repeated


@pytest.mark.parametrize("text", ["", "une phrase sans rien", "10000 + 20000", "...", "5 000 000 000 FCFA"])
def test_nothing_is_repeated(text: str) -> None:
    assert most_repeated(text) is None


@given(st.text(alphabet="ab .", max_size=200))
def test_spans_lie_in_the_text(text: str) -> None:
    found = most_repeated(text)
    assert found is None or (found.times > 1 and 0 < found.span.start < found.span.end <= len(text))
