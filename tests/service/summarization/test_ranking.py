from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from kunnafoni.summarization.ranking import MAX_SENTENCES, extract, key_points, rank

ARTICLE = [
    "Floods along the Niger river have driven 2,500 families from their homes in Mopti.",
    "Photo: the flooded market of Mopti on Tuesday.",
    "The governor of Mopti promised tents and food for the families that the floods drove out.",
    "He was born far from there.",
    "Aid workers in Mopti say that the families who fled the flooded homes need food and clean water.",
    "Floods along the Niger river have driven 2,500 families from their homes in Mopti.",
    "A football match in the capital ended without a goal last night.",
    "Read also: the market reopens",
    "* * *",
    "",
]
BAMBARA = [
    "Baji ye so caman ci Mɔti mara kɔnɔ.",
    "Mɔti mara gɔfɛrɛnɛri ko baji ye so caman ci, fo ka denbaya ba fila gɛn.",
    "Balonntan min kɛra Bamakɔ kunu, o ma bi sɔrɔ.",
    "Denbaya minnu ka so cira baji fɛ Mɔti, olu mago bɛ dumuni na.",
]


def test_scores_are_in_order_and_between_0_and_1() -> None:
    scores = rank(ARTICLE)
    assert len(scores) == len(ARTICLE)
    assert max(scores) == 1
    assert scores[-1] == scores[-2] == 0


def test_the_same_article_gets_the_same_scores() -> None:
    assert rank(ARTICLE) == rank(list(ARTICLE))


def test_what_the_article_is_about_ranks_above_asides_and_credits() -> None:
    scores = rank(ARTICLE)
    assert min(scores[0], scores[2], scores[4]) > max(scores[1], scores[3], scores[6], scores[7])


def test_inflected_bambara_needs_no_stemmer() -> None:
    scores = rank(BAMBARA)
    assert min(scores) == scores[2]


def test_key_points_are_in_article_order_and_say_nothing_twice() -> None:
    points = key_points(ARTICLE, 3)
    assert points == sorted(points)
    assert len(points) == 3
    assert key_points(ARTICLE, 1)[0] in points
    assert not {0, 5} <= set(points)
    assert 7 not in points


def test_fewer_key_points_come_back_than_there_are_sentences() -> None:
    assert key_points(ARTICLE, 0) == []
    assert key_points([], 3) == []
    assert key_points(["One sentence stands here alone today."] * 50, 7) == [0]
    assert 0 < len(key_points(ARTICLE, 100)) < len(ARTICLE)


def words_in(places: list[int]) -> int:
    return sum(len(ARTICLE[place].split()) for place in places)


def test_an_extract_comes_close_to_the_words_asked_for() -> None:
    for words in range(10, 60):
        chosen = extract(ARTICLE, words)
        assert chosen == sorted(chosen)
        assert words / 2 <= words_in(chosen) <= 1.5 * words or words_in(chosen) == words_in(extract(ARTICLE, 1000))


def test_an_extract_keeps_to_a_limit() -> None:
    for max_words in range(60):
        assert words_in(extract(ARTICLE, max_words, max_words=max_words)) <= max_words
    assert extract(ARTICLE, 30, max_words=2) == []
    assert extract(ARTICLE, 0) == []


def test_an_extract_says_nothing_that_stands_beside_it() -> None:
    assert 0 in extract(ARTICLE, 30)
    assert not {0, 5} & set(extract(ARTICLE, 30, existing=ARTICLE[0]))


def test_a_very_long_article_is_ranked_up_to_the_limit() -> None:
    sentences = [
        f"Village number {place} reports that water reached house {place * 7}." for place in range(MAX_SENTENCES + 20)
    ]
    scores = rank(sentences)
    assert len(scores) == len(sentences)
    assert scores[MAX_SENTENCES:] == [0.0] * 20
    assert len(key_points(sentences, 7)) > 0


@settings(deadline=None)
@given(st.lists(st.text(max_size=40), max_size=12), st.integers(0, 8), st.integers(0, 50))
def test_any_strings_are_taken(sentences: list[str], count: int, max_words: int) -> None:
    assert all(0 <= score <= 1 for score in rank(sentences))
    assert len(key_points(sentences, count)) <= count
    chosen = extract(sentences, max_words, max_words=max_words)
    assert sum(len(sentences[place].split()) for place in chosen) <= max_words
