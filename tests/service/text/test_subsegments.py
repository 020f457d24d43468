"""Sentences that are too long are divided well and lose nothing."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni.text.segments import Segment, SegmentKind
from kunnafoni.text.subsegments import split_near_middle, subsegments

TEXTS = st.text(
    alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" ,;.\n\u0301\u200d🇲👍🏽"))
)
SENTENCE = (
    "Le ministre de la Santé a annoncé mardi à Bamako que la campagne de vaccination, qui avait commencé en mars, va "
    "durer jusqu'en juin ; plus de 1 234 567 enfants attendent encore dans des villages du nord, les équipes partent."
)


def segment(text: str) -> Segment:
    return Segment(text, 7, 7 + len(text), SegmentKind.TEXT)


@given(TEXTS)
def test_halves_join(text: str) -> None:
    left, right = split_near_middle(text)
    assert left + right == text
    assert len(text) == len(left) or left


@given(TEXTS.filter(lambda text: text.strip()), st.integers(1, 20))
def test_pieces_cover_the_segment(text: str, limit: int) -> None:
    pieces = subsegments(segment(text), lambda piece: len(piece) <= limit)
    assert "".join(piece.text for piece in pieces) == text
    assert pieces[0].start == 7
    assert all(a.end == b.start for a, b in pairwise(pieces))
    assert all(piece.end - piece.start == len(piece.text) for piece in pieces)


def test_a_sentence_that_fits_stays_whole() -> None:
    assert subsegments(segment(SENTENCE), lambda _: True) == [segment(SENTENCE)]


def test_halves_meet_at_the_clause_nearest_to_the_middle() -> None:
    left, right = split_near_middle(SENTENCE)
    assert left.endswith("juin ; ")
    assert right.startswith("plus de")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Il a dit « Je pars demain. Adieu mes amis »", "Il a dit « Je pars demain. "),
        ("Le maire, de retour hier, a vu M. Traoré, président du club", "Le maire, de retour hier, "),
        ("The mayor, back at last, saw a U.S. Army general, Bo", "The mayor, back at last, "),
        ("Les gens voient les J.O. de Paris, disent-ils tous", "Les gens voient les J.O. de Paris, "),
        ("Awa est venue hier, Moussa viendra demain", "Awa est venue hier, "),
        ("Awa est venue hier parce que Moussa est loin", "Awa est venue hier "),
        ("Awa ye dumuni tobi nka Musa ma na sisan", "Awa ye dumuni tobi "),
        ("un deux trois quatre", "un deux "),
        ("de 100 000 000", "de "),
        ("aaaabbbb", "aaaa"),
        (" x ", " x "),
        ("", ""),
    ],
)
def test_where_texts_are_halved(text: str, left: str) -> None:
    assert split_near_middle(text)[0] == left


@pytest.mark.parametrize("limit", [150, 90, 60, 40])
def test_pieces_are_of_similar_length(limit: int) -> None:
    lengths = [
        len(p.text)
        for p in subsegments(segment(SENTENCE), lambda piece: len(piece) <= limit)
        if p.kind is SegmentKind.TEXT
    ]
    assert max(lengths) <= limit
    assert min(lengths) >= limit // 4


def test_white_space_between_pieces_is_a_gap() -> None:
    pieces = subsegments(segment("un deux"), lambda piece: len(piece) < 5)
    assert [(piece.text, piece.kind) for piece in pieces] == [
        ("un", SegmentKind.TEXT),
        (" ", SegmentKind.GAP),
        ("deux", SegmentKind.TEXT),
    ]


@pytest.mark.parametrize("character", ["e\u0301\u0323", "👨\u200d👩\u200d👧", "👍🏽", "🇲🇱"])
def test_characters_of_several_code_points_stay_whole(character: str) -> None:
    assert split_near_middle(f"a{character}b") in {("a", f"{character}b"), (f"a{character}", "b")}
    assert split_near_middle(character) == (character, "")


def test_a_word_of_ten_thousand_letters_is_cut_evenly_with_few_questions() -> None:
    asked: list[int] = []

    def fits(text: str) -> bool:
        asked.append(len(text))
        return len(text) <= 100

    pieces = subsegments(segment("a" * 10_000), fits)
    assert {len(piece.text) for piece in pieces} <= {78, 79}
    assert sum(asked) == 10_000 * 8


def test_a_model_that_takes_nothing_gets_single_characters() -> None:
    assert [piece.text for piece in subsegments(segment("abc"), lambda _: False)] == ["a", "b", "c"]
