from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni.text.reading import LEAD_TOKENS, clipped, parts


def test_an_article_is_divided_where_the_next_sentence_does_not_fit() -> None:
    assert parts([30, 30, 30, 90, 10], 60) == [range(2), range(2, 3), range(3, 4), range(4, 5)]
    assert parts([LEAD_TOKENS]) == [range(1)]
    assert parts([]) == []


@given(st.lists(st.integers(0, 500)), st.integers(1, 300))
def test_no_sentence_is_left_out_and_only_a_single_one_exceeds_the_limit(tokens: list[int], max_tokens: int) -> None:
    divided = parts(tokens, max_tokens)
    assert [place for part in divided for place in part] == list(range(len(tokens)))
    assert all(sum(tokens[place] for place in part) <= max_tokens or len(part) == 1 for part in divided)


@pytest.mark.parametrize(
    ("max_words", "expected"),
    [
        (20, "The bridge is gone, the mayor said, and rice will be late."),
        (12, "The bridge is gone, the mayor said, and rice will be late."),
        (9, "The bridge is gone, the mayor said…"),
        (5, "The bridge is gone…"),
        (3, "The bridge is…"),
        (0, ""),
    ],
)
def test_a_clipped_sentence_ends_at_a_clause_if_it_can(max_words: int, expected: str) -> None:
    assert clipped("The bridge is gone, the mayor said, and rice will be late.", max_words) == expected


@given(st.text(), st.integers(0, 20))
def test_a_clipped_text_has_no_more_words_than_asked_for(text: str, max_words: int) -> None:
    assert len(clipped(text, max_words).split()) <= max_words
