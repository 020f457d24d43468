"""Spelling before and after the model."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni.text.orthography import modern_bambara, normalise_input, standardise_bambara

LETTERS = st.one_of(
    st.characters(exclude_categories=["Cs"]), st.sampled_from("aBsɛƐɔƆɲƝŋŊεєͻɳꞃÉe\u0301\u0300-'’\u00ad\u200b ")
)
TEXTS = st.text(alphabet=LETTERS)


@given(TEXTS)
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise_input(text)
    assert normalise_input(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == once.strip()


@given(TEXTS)
def test_standardising_twice_changes_nothing_more_and_keeps_lengths(text: str) -> None:
    once = standardise_bambara(text)
    assert standardise_bambara(once) == once
    assert len(once) == len(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("une ligne\n  coupée\r\nen trois", "une ligne coupée en trois"),
        ("1\u202f234\u00a0€", "1 234 €"),
        ("cafe\u0301", "café"),
        ("inter\u00adnational\u200b\ufeff", "international"),
        ("l’eau “douce” – 1960", 'l\'eau "douce" - 1960'),
        ("a\x00b\x07", "a b"),
        ("« Bonjour ! »", "« Bonjour ! »"),
        ("", ""),
    ],
)
def test_what_the_model_reads(text: str, read: str) -> None:
    assert normalise_input(text) == read


@pytest.mark.parametrize(
    ("text", "standard"),
    [
        ("sƐgƐsƐgƐli bƐƐ", "sɛgɛsɛgɛli bɛɛ"),
        ("SƐbƐn SanfƐkalanso", "Sɛbɛn Sanfɛkalanso"),
        ("ƝƐmɔgɔ", "Ɲɛmɔgɔ"),
        ("ɳɔgɔn boꞃɛ", "ɲɔgɔn boɲɛ"),
        ("bεnkan kԑlє ᴐlᴐ", "bɛnkan kɛlɛ ᴐlᴐ".replace("ᴐ", "ɔ")),
        ("bɛ\u0300n", "bɛ\u0300n"),
    ],
)
def test_bambara_letters(text: str, standard: str) -> None:
    assert standardise_bambara(text) == standard


@pytest.mark.parametrize(
    "text",
    ["Ɛsipaɲi ni Ɔsitirali", "MƆGƆW BƐƐ", "ŊPN", "Grèce ni Côte d'Ivoire", "γένεσις", "Європа", "ε = 3", "nyɛ", "Été"],
)
def test_what_stays(text: str) -> None:
    assert standardise_bambara(text) == text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Jɛ̀kulu yé dúgutigi wéle kúnùn.", "Jɛkulu ye dugutigi wele kunun."),
        ("Ń bɛ́ táa sùgu lá.", "N bɛ taa sugu la."),
        ("Sékou Touré ye Ségou dugutigi ye.", "Sékou Touré ye Ségou dugutigi ye."),
        ("Musokòròba bè nyègèn so kònò.", "Musokɔrɔba bɛ ɲɛgɛn so kɔnɔ."),
        ("La mère achète à manger où elle peut.", "La mère achète à manger où elle peut."),
        ("The school opens.", "The school opens."),
    ],
)
def test_tones_and_the_old_spelling_are_read_as_models_learnt_bambara(written: str, read: str) -> None:
    assert modern_bambara(written) == read
    assert modern_bambara(unicodedata.normalize("NFD", written)) in {read, unicodedata.normalize("NFD", read)}
    assert modern_bambara(read) == read
