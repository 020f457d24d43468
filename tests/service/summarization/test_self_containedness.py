from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kunnafoni.summarization.self_containedness import self_containedness

WHOLE = "The governor of Mopti promised tents and food for the families."


@pytest.mark.parametrize(
    "line",
    [
        "Rain again.",
        "By our correspondent in Mopti and a photographer",
        "Who will pay for the tents and the food of the families?",
        "Lire aussi : le marché de Mopti rouvre ses portes ce lundi matin.",
        "Kéniéba (région de Kayes), le 3 septembre 2025.",
        "Gao, 3 September 2025 (AMAP) -",
        "The governor of Mopti named the following persons to the committee:",
        "He promised tents and food for all the families there.",
        "Elle a promis des tentes et des vivres aux familles.",
        '"We have nothing left, and the river is still rising.',
        " ".join(["word"] * 70) + ".",
    ],
)
def test_what_is_no_whole_sentence_weighs_less(line: str) -> None:
    whole, other = self_containedness([WHOLE, line])
    assert whole == 1
    assert 0 < other < 1


def test_a_sentence_inside_a_quotation_of_several_weighs_less() -> None:
    lines = [
        '"The water came at night and took the goats.',
        WHOLE,
        'Nobody has come to help us here until now", she said.',
    ]
    assert max(self_containedness(lines)) < 1
    assert self_containedness([lines[0], *[WHOLE] * 9])[-1] == 1


def test_lines_without_letters_weigh_nothing() -> None:
    assert self_containedness(["* * *", "", "2019"]) == [0, 0, 0]


@settings(deadline=None)
@given(st.lists(st.text(max_size=60)))
def test_any_lines_are_taken(lines: list[str]) -> None:
    assert all(0 <= weight <= 1 for weight in self_containedness(lines))
    assert len(self_containedness(lines)) == len(lines)
