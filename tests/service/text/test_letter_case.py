"""Text in capitals or Title Case becomes what models learnt, and its translation what the text was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni.text.letter_case import LetterCase, letter_case, names_in, to_capitals, truecase

TEXTS = st.text(st.sampled_from("AaÉéßŉİıɛƐ BCDxyz'’-.:–! 5ǅﬁ\n"), max_size=80)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("THE CLINIC CLOSES ON SUNDAY IN MOPTI.", "en", "The clinic closes on Sunday in Mopti."),
        ("LE PRIX DU SUCRE BAISSE À KAYES", "fr", "Le prix du sucre baisse à Kayes"),
        ("L’ONU SALUE UN ACCORD. LA FRANCE ATTEND", "fr", "L’ONU salue un accord. La France attend"),
        ("BAMAKO: The road is closed.", "en", "Bamako: The road is closed."),
        ("Ministers Meet Farmers In Bamako", "en", "Ministers meet farmers in Bamako"),
        ("She said THE SCHOOLS STAY CLOSED today.", "en", "She said the schools stay closed today."),
        ("THe school opens.", "en", "THe school opens."),
        ("SChool opens.", "en", "School opens."),
        ("The MPs of ECOWAS and the UN met in the USA.", "en", "The MPs of ECOWAS and the UN met in the USA."),
        ("FIFA", "fr", "FIFA"),
        ("McDonald's opens a shop.", "en", "McDonald's opens a shop."),
    ],
)
def test_it_is_read_in_sentence_case(text: str, language: str, expected: str) -> None:
    assert truecase(text, language).text == expected


def test_names_of_the_rest_of_the_content_are_names() -> None:
    names = names_in(["The mayor, Bakary Zoumanakoro, left.", "ZOUMANA WAS THERE.", "Then Hawa came."])
    assert names["zoumanakoro"] == "Zoumanakoro"
    assert "then" not in names
    assert "zoumana" not in names
    assert truecase("WHERE IS ZOUMANAKORO NOW", "en", names).text == "Where is Zoumanakoro now"
    assert truecase("WHERE IS ZOUMANAKORO NOW", "en").text == "Where is zoumanakoro now"


def test_a_translation_is_written_as_the_source_was() -> None:
    assert truecase("THE SCHOOL OPENS ON MONDAY", "en").restore("L’école ouvre lundi") == "L’ÉCOLE OUVRE LUNDI"
    assert truecase("THE SCHOOL OPENS ON MONDAY", "en").restore("Lakɔli bɛ dayɛlɛ") == "LAKƆLI BƐ DAYƐLƐ"
    assert truecase("URGENT: The school opens.", "en").restore("Urgent : l’école ouvre.") == "URGENT : l’école ouvre."
    assert truecase("BAMAKO – The school opens.", "en").restore("Bamako - l’école") == "BAMAKO - l’école"
    assert truecase("The school opens.", "en").restore("L’école ouvre.") == "L’école ouvre."


def test_title_case_is_not_copied_into_languages_without_it() -> None:
    assert letter_case("Ministers Meet Farmers In Bamako") is LetterCase.TITLE
    assert letter_case("Le Mali et la France") is LetterCase.SENTENCE


@given(TEXTS, st.sampled_from(["en", "fr", "bm"]))
def test_one_code_point_stays_one(text: str, language: str) -> None:
    truecased = truecase(text, language)
    assert len(truecased.text) == len(text)
    assert truecased.text.casefold() == text.casefold() or any(letter in "ßŉİıǅﬁ" for letter in text)
    assert len(to_capitals(text)) == len(text)
    assert len(truecased.restore(text)) == len(text)
