"""Spellings of one name in English and French, and names that are no more than alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni.checks.names.spellings import same_spelling, sound, sounds_like


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("Sansanding", "Sansanding"),
        ("Copernicus", "Copernic"),
        ("Pythagoras", "Pythagore"),
        ("Alexander", "Alexandre"),
        ("Augustus", "Auguste"),
        ("Macron", "macroniste"),
        ("Shevchenko", "Chevtchenko"),
        ("Zelensky", "Zelenski"),
        ("Mohammed", "Mohamed"),
        ("Coulibaly", "Koulibaly"),
    ],
)
def test_one_name_in_both_languages(english: str, french: str) -> None:
    assert same_spelling(english, french)
    assert same_spelling(french, english)


@pytest.mark.parametrize(
    ("name", "other"),
    [("Sansanding", "Sannandung"), ("Mopti", "Moptu"), ("Keita", "Koita"), ("Toure", "Tourne")],
)
def test_two_names_that_only_sound_alike(name: str, other: str) -> None:
    assert not same_spelling(name, other)
    assert sounds_like(name, ["x", sound(other)], 0.6)


@given(st.text(), st.text())
def test_it_does_not_matter_which_is_first(word: str, other: str) -> None:
    assert same_spelling(word, word)
    assert same_spelling(word, other) == same_spelling(other, word)
