from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kunnafoni.text.reading import LEAD_TOKENS, parts


def test_an_article_is_divided_where_the_next_sentence_does_not_fit() -> None:
    assert parts([30, 30, 30, 90, 10], 60) == [range(2), range(2, 3), range(3, 4), range(4, 5)]
    assert parts([LEAD_TOKENS]) == [range(1)]
    assert parts([]) == []


@given(st.lists(st.integers(0, 500)), st.integers(1, 300))
def test_no_sentence_is_left_out_and_only_a_single_one_exceeds_the_limit(tokens: list[int], max_tokens: int) -> None:
    divided = parts(tokens, max_tokens)
    assert [place for part in divided for place in part] == list(range(len(tokens)))
    assert all(sum(tokens[place] for place in part) <= max_tokens or len(part) == 1 for part in divided)
