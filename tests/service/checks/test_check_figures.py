"""Findings about figures: numbers, dates, hours and units; all sentences were written for these tests."""

from __future__ import annotations

import pytest

from kunnafoni.checks.finding import FindingType
from kunnafoni.checks.registry import check


def mismatches(source_language: str, source: str, target_language: str, target: str) -> list[str]:
    """What of each side the other lacks, source first."""
    findings = check(source, target, source_language=source_language, target_language=target_language)
    sides = ((f.source_span, source, f.target_span, target) for f in findings if f.type is FindingType.NUMBER_MISMATCH)
    return [text[span.start : span.end] for side in sides for span, text in (side[:2], side[2:]) if span]


@pytest.mark.parametrize(
    ("source", "target", "found"),
    [
        ("Le vote est fixé au 03/04/2024.", "The vote is set for 3 April 2024.", False),
        ("Le vote est fixé au 12.03.2024.", "The vote is set for March 12, 2024.", False),
        ("Le vote est fixé au 03/04/2024.", "The vote is set for 3 May 2024.", True),
        ("Le vote est fixé au 03/04/2024.", "The vote is set for 3 April 2025.", True),
    ],
)
def test_a_date_in_figures_agrees_with_its_month_in_words_and_with_no_other(
    source: str, target: str, *, found: bool
) -> None:
    assert bool(mismatches("fr", source, "en", target)) == found
    assert bool(mismatches("en", target, "fr", source)) == found


def test_war_in_bambara_does_not_stand_for_a_lost_one() -> None:
    assert mismatches("fr", "La guerre a fait 1 mort.", "bm", "Kɛlɛ ye mɔgɔw faga.") == ["1"]


@pytest.mark.parametrize(
    ("source_language", "source", "target_language", "target", "wrong"),
    [
        (
            "fr",
            "Météo du mardi 22 avril 2025",
            "en",
            "Weather, March 22, 2025",
            ["mardi 22 avril 2025", "March 22, 2025"],
        ),
        ("fr", "La réunion du 3 mai.", "en", "The meeting of 3 March.", ["3 mai", "3 March"]),
        ("fr", "Il est mort lundi.", "en", "He died on Friday.", ["lundi", "Friday"]),
        ("en", "12 people died on 3 May.", "bm", "Mɔgɔ 12 sara marisikalo tile 3.", ["3 May", "marisikalo tile 3"]),
        ("fr", "De mars à mai", "en", "From March to June", ["mai", "June"]),
        ("fr", "De mars à mai", "en", "From March on", []),
        ("fr", "Il vient lundi.", "en", "He is coming.", []),
        ("bm", "Tɛnɛn, mɛkalo tile 3", "fr", "Lundi 3 mai", []),
    ],
)
def test_another_month_or_day_of_the_week_is_found(
    source_language: str, source: str, target_language: str, target: str, wrong: list[str]
) -> None:
    assert mismatches(source_language, source, target_language, target) == wrong
    assert mismatches(target_language, target, source_language, source) == wrong[::-1]


@pytest.mark.parametrize(
    ("source_language", "source", "target_language", "target", "wrong"),
    [
        ("en", "It starts at 8 p.m.", "fr", "Cela commence à 8 h.", ["8", "8"]),
        ("en", "It starts at 8:30 p.m.", "fr", "Cela commence à 8 h 30.", ["8", "8"]),
        ("en", "It starts at 8:10 p.m.", "fr", "Cela commence à 20 h 10.", []),
        ("en", "It starts at 8 p.m.", "fr", "Cela commence à 8 h du soir.", []),
        ("en", "It starts at 8 p.m.", "fr", "Ce soir, cela commence à huit heures.", []),
        ("en", "It starts at 8 p.m.", "bm", "A bɛ daminɛ su fɛ, nɛgɛ kaɲɛ 8.", []),
        ("en", "It starts at 8 in the evening.", "fr", "Cela commence à 20 h.", []),
        ("en", "It runs from 8 to 10 p.m.", "fr", "Cela dure de 20 h à 22 h.", []),
        ("en", "It starts at 8 a.m.", "fr", "Cela commence à 20 h.", ["8", "20"]),
        ("en", "It starts at 12:10 a.m.", "fr", "Cela commence à 0 h 10.", []),
    ],
)
def test_an_hour_of_the_evening_is_none_of_the_morning(
    source_language: str, source: str, target_language: str, target: str, wrong: list[str]
) -> None:
    assert mismatches(source_language, source, target_language, target) == wrong
    assert mismatches(target_language, target, source_language, source) == wrong[::-1]


def test_a_telephone_number_may_be_grouped_otherwise() -> None:
    assert mismatches("fr", "Appelez le +223 76 45 12 30.", "en", "Call +223 76451230.") == []
    assert "76451203" in mismatches("fr", "Appelez le 76 45 12 30.", "en", "Call 76451203.")


@pytest.mark.parametrize(
    ("source_language", "source", "target_language", "target", "wrong"),
    [
        ("fr", "Un sac de 50 kg", "en", "A sack of 50 tonnes", True),
        ("fr", "Un sac de 50 kg", "en", "A sack of fifty kilos", False),
        ("fr", "Vent de 15 km/h", "en", "Wind at 15 mph", True),
        ("en", "The road is 5 miles long.", "fr", "La route fait 5 kilomètres.", True),
        ("en", "The road is 5 miles (8 km) long.", "fr", "La route fait 8 km, soit 5 miles.", False),
        ("en", "It gave 250 million CFA francs.", "fr", "Il a donné 250 millions de dollars US.", True),
        ("fr", "Il a donné 250 millions de F CFA.", "en", "It gave US$250 million.", True),
        ("fr", "Il a donné 29 milliards de FCFA.", "en", "It gave CFAF 29bn.", False),
        ("fr", "Il coûte 5 000 FCFA.", "bm", "A sɔngɔ ye dolari 5 000 ye.", True),
        ("fr", "Il coûte 5 000 FCFA.", "bm", "A sɔngɔ ye sefawari 5 000 ye.", False),
        ("fr", "Un taux de 5 pour cent", "en", "A rate of 5%", False),
        ("fr", "Un taux de 5 %", "en", "A rate of 5 euros", True),
        ("fr", "Un sac de 50 kg", "en", "A sack of 50", False),
        ("fr", "Il fait -5 °C à Kati.", "en", "It is 5 °C at Kati.", True),
        ("fr", "Il fait -5 °C à Kati.", "en", "It is minus 5 °C at Kati.", False),
        ("fr", "L'indice a varié de -3,2 %.", "en", "The index fell by 3.2%.", False),
        ("en", "It fell to -3.2%.", "fr", "Il est tombé à 3,2 %.", True),
        ("fr", "Ils ont gagné 3-1 en 2024-2025.", "en", "They won 3 to 1 in 2024-25.", False),
    ],
)
def test_another_unit_or_sign_is_found_and_a_missing_unit_is_not(
    source_language: str, source: str, target_language: str, target: str, *, wrong: bool
) -> None:
    assert bool(mismatches(source_language, source, target_language, target)) == wrong
    assert bool(mismatches(target_language, target, source_language, source)) == wrong
