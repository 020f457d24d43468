from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kunnafoni.checks.faithfulness import UnsupportedFactType, unsupported_facts

NUMBER, DATE = UnsupportedFactType.UNSUPPORTED_NUMBER, UnsupportedFactType.UNSUPPORTED_DATE
NAME, QUOTATION = UnsupportedFactType.UNSUPPORTED_NAME, UnsupportedFactType.UNSUPPORTED_QUOTATION

FRENCH = """Le fleuve Niger a débordé mardi 26 novembre à Mopti, au centre du Mali. Plus de 2.500 familles maliennes ont
quitté leurs maisons, selon la Croix-Rouge. Le gouverneur Sidi Kanté a promis 3 millions de francs et quarante tentes.
« Nous n'avons plus rien à manger depuis trois jours », raconte Aminata Diallo, 34 ans. Le dernier débordement
date de 1998."""


def found(
    summary: str, article: str = FRENCH, *, language: str = "fr", article_language: str = "fr"
) -> list[tuple[UnsupportedFactType, str]]:
    findings = unsupported_facts(summary, article, summary_language=language, article_language=article_language)
    return [(finding.type, summary[finding.span.start : finding.span.end]) for finding in findings]


@pytest.mark.parametrize(
    "summary",
    [
        "Au Mali, 2 500 familles ont quitté Mopti après la crue du Niger.",
        "Sidi Kanté promet 3 000 000 de francs et 40 tentes aux Maliens.",
        "La Croix-Rouge alerte après la crue du 26 novembre.",
        'Aminata Diallo, 34 ans, n\'a "plus rien à manger […] trois jours".',
        "C'est la pire crue depuis 1998, la première de ce siècle.",
        "",
    ],
)
def test_what_the_article_says_in_other_words_is_supported(summary: str) -> None:
    assert found(summary) == []


@pytest.mark.parametrize(
    ("summary", "finding"),
    [
        ("Plus de 3.500 familles ont fui.", (NUMBER, "3.500")),
        ("Plus de trois mille familles ont fui.", (NUMBER, "trois mille")),
        ("Sidi Kanté a promis 3 milliards de francs.", (NUMBER, "3 milliards")),
        ("Sidi Kanté a promis 3 millions de dollars.", (NUMBER, "3 millions")),
        ("La crue de lundi 26 novembre.", (DATE, "lundi 26 novembre")),
        ("La crue du 27 novembre.", (DATE, "27 novembre")),
        ("La crue de novembre 2021.", (DATE, "novembre 2021")),
        ("À Mopti, au centre du Nigeria, les eaux montent.", (NAME, "Nigeria")),
        ("Le gouverneur Sidi Touré a promis une aide.", (NAME, "Touré")),
        ("Elle n'a « plus d'eau à boire ».", (QUOTATION, "« plus d'eau à boire »")),
    ],
)
def test_what_the_article_does_not_say_is_found_with_its_place(
    summary: str, finding: tuple[UnsupportedFactType, str]
) -> None:
    assert found(summary) == [finding]


def test_the_date_of_a_bambara_article_is_its_date() -> None:
    article = "San 2024 marisikalo tile 3 wotelo kɛra; utikalo tile fɔlɔ la jaabi bɔra."
    assert found("Le vote du 3 mars 2024, compté le 1er août.", article, article_language="bm") == []
    assert found("Le vote du 4 mars 2024.", article, article_language="bm") == [(DATE, "4 mars 2024")]


def test_a_date_or_name_with_a_number_in_it_is_one_finding() -> None:
    assert found("Le Covid-19 frappe.") == [(NAME, "Covid")]
    assert found("Le 5 mai, Mopti attend.") == [(DATE, "5 mai")]


def test_the_century_of_a_year_is_supported() -> None:
    article = "She was born in 1831 in Kayes."
    assert found("A poet of the 19th century.", article, language="en", article_language="en") == []
    assert found("A poet of the 18th century.", article, language="en", article_language="en") == [(NUMBER, "18")]


@pytest.mark.parametrize(
    ("language", "summary", "findings"),
    [
        ("en", "On Tuesday, November 26, the Niger flooded Mopti; 2,500 Malian families fled.", []),
        ("en", "On Monday the Niger flooded Mopti; 3,500 families fled.", [(DATE, "Monday"), (NUMBER, "3,500")]),
        ("en", "Aminata Diallo said: “There is nothing left to eat.”", []),
        ("en", "Sidi Kante promised tents.", []),
        ("en", "In Mopta the governor, Sidi Kontu, promised tents.", [(NAME, "Mopta"), (NAME, "Sidi Kontu")]),
        ("en", "In Moptandra people wait for sand.", [(NAME, "Moptandra")]),
        ("bm", "Ji ye gaari 2500 bila ka bɔ u ka so, Mɔti mara la, Mali kɔnɔ.", []),
    ],
)
def test_a_summary_in_another_language_is_looked_up_too(
    language: str, summary: str, findings: list[tuple[UnsupportedFactType, str]]
) -> None:
    assert found(summary, language=language) == findings


def test_noon_and_halves_claim_no_number() -> None:
    assert found("À midi, la moitié des Maliens attend.", "Les Maliens attendent.") == []


@pytest.mark.parametrize(
    ("language", "summary", "article_language", "article"),
    [
        ("bm", "Kɛlɛ bɛ Mali kɔnɔ.", "fr", "La guerre dure au Mali."),
        ("bm", "Baara kɛlen don, a segin na so.", "fr", "Le travail est fait, il est rentré chez lui."),
        ("bm", "Muso kelen ye a fɔ fɔlɔ.", "en", "A woman said it before."),
    ],
)
def test_bambara_words_that_are_seldom_numbers_claim_none(
    language: str, summary: str, article_language: str, article: str
) -> None:
    assert found(summary, article, language=language, article_language=article_language) == []


def test_a_quotation_from_an_article_that_quotes_nobody_is_found() -> None:
    summary = "The mayor said “no”."
    assert found(summary, "Le maire refuse.", language="en") == [(QUOTATION, "“no”")]


@settings(deadline=None)
@given(st.text(), st.sampled_from(["en", "fr", "bm"]))
def test_a_text_supports_itself(text: str, language: str) -> None:
    assert found(text, text, language=language, article_language=language) == []


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_sentence_of_an_article_is_supported_by_it(language: str) -> None:
    sentences = FRENCH.replace("\n", " ").split(". ")
    assert [found(sentence, language=language, article_language=language) for sentence in sentences] == [[]] * len(
        sentences
    )
