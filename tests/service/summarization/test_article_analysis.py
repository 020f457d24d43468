"""What is known of an article without a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni.summarization.article_analysis import (
    LONG,
    MEDIUM,
    SHORT,
    Article,
    Length,
    analyse_article,
    best_extract,
    clipped,
    made_headline,
)

LETTERS = st.text(st.sampled_from("aé .\n-1«»"), max_size=200)


@given(LETTERS, st.integers(0, 7))
def test_key_points_are_sentences_in_order(body: str, points: int) -> None:
    article = analyse_article(Article("", body, "fr"), points=points)
    assert list(article.key_points) == sorted(set(article.key_points))
    assert len(article.key_points) <= points
    assert set(article.key_points) <= set(article.distinct)
    for sentence in article.sentences:
        assert body[sentence.start : sentence.end] == sentence.text


def test_repeated_sentences_count_once() -> None:
    article = analyse_article(
        Article("", "Rain fell in Gao. Roads are closed. Rain fell  in Gao. Rain fell in Gao.", "en"), points=7
    )
    assert article.distinct == (0, 1)
    assert article.whole() == "Rain fell in Gao. Roads are closed."


def test_a_body_without_its_repeats_keeps_all_else() -> None:
    body = """Les inscriptions sont ouvertes.

Appelez le numéro vert :
80 00 12 34

- Ou allez sur https://inscription.ml.
- Les inscriptions sont ouvertes.
- Ou allez sur https://inscription.ml.
- Écrivez aussi."""
    assert analyse_article(Article("", body, "fr"), points=0).whole() == (
        "Les inscriptions sont ouvertes.\n\nAppelez le numéro vert :\n80 00 12 34\n\n"
        "- Ou allez sur https://inscription.ml.\n- Écrivez aussi."
    )


def test_a_key_point_is_a_whole_sentence_with_the_address_in_it() -> None:
    body = "Les candidats écrivent à concours@sante.ml avant le vendredi 12 juin au plus tard. Le reste suivra."
    article = analyse_article(Article("", body, "fr"), points=1)
    assert [article.sentences[place].text for place in article.key_points] == [body.removesuffix(" Le reste suivra.")]


@pytest.mark.parametrize(("words", "length", "too_short"), [(24, SHORT, True), (30, SHORT, True), (31, SHORT, False)])
def test_too_short(words: int, length: Length, *, too_short: bool) -> None:
    body = f"One two three. {' '.join(f'w{number}x' for number in range(words - 3))}."
    assert analyse_article(Article("", body, "en"), points=0).too_short(length) == too_short
    assert analyse_article(Article("", body, "en"), points=0).too_short(LONG)


@pytest.mark.parametrize(
    ("text", "headline"),
    [
        ("A bridge has opened. It is long.", "A bridge has opened"),
        ("Has a bridge opened? It has.", "Has a bridge opened?"),
        ("And then...", "And then..."),
        (
            "The minister of transport opened a new bridge over the river, which is very long, on Monday.",
            "The minister of transport opened a new bridge over the river",
        ),
        (
            "# Strike of teachers\n\nThe union\nannounced a strike of three days. It begins on Monday.",
            "Strike of teachers",
        ),
        (
            "The teachers of the whole country have said\nthey strike. It is long.",
            "The teachers of the whole country have said they strike",
        ),
        ("80 00 12 34", "80 00 12 34"),
        ("one, " + "two " * 20, "one, " + "two " * 12 + "two…"),
    ],
)
def test_made_headlines(text: str, headline: str) -> None:
    assert made_headline(text, "en") == headline


@given(
    st.lists(st.text(st.sampled_from("abc de."), min_size=1, max_size=80), min_size=1, max_size=8), st.integers(1, 60)
)
def test_an_extract_fits_or_is_one_sentence(sentences: list[str], most: int) -> None:
    chosen = best_extract(sentences, Length(most, most))
    assert len(chosen) == 1 or sum(len(each.split()) for each in chosen) <= most
    assert len(clipped(" ".join(chosen), most).split()) <= max(1, most)


@pytest.mark.parametrize("length", [SHORT, MEDIUM, LONG])
def test_an_extract_has_about_as_many_words_as_asked_for(length: Length) -> None:
    topics = ("rice", "roads", "goats", "schools", "wells", "music", "boats", "cotton", "radio", "football")
    sentences = [f"{topic.title()} {' '.join(f'{topic}{letter}' for letter in 'abcdefgh')}." for topic in topics * 2]
    words = sum(len(each.split()) for each in best_extract(sentences, length))
    assert abs(words - min(length.target_words, 9 * len(topics))) <= 5


def test_lengths_are_about_what_they_say() -> None:
    assert [length.target_words for length in (SHORT, MEDIUM, LONG)] == [30, 70, 150]
