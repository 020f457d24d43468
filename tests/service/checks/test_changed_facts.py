"""Comparisons, directions, fractions: right translations raise nothing, turned ones do."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from kunnafoni.checks.finding import FindingType
from kunnafoni.checks.registry import check

CONTRAST = Path(__file__).parents[2] / "golden" / "contrast.tsv"
COMPARISON, DIRECTION, NUMBER = (
    FindingType.COMPARISON_MISMATCH,
    FindingType.DIRECTION_MISMATCH,
    FindingType.NUMBER_MISMATCH,
)


def types(english: str, french: str) -> set[FindingType]:
    """What both directions find, which is the same."""
    there = {finding.type for finding in check(english, french, source_language="en", target_language="fr")}
    back = {finding.type for finding in check(french, english, source_language="fr", target_language="en")}
    assert there == back
    return there


@pytest.mark.parametrize(
    ("english", "right", "wrong", "expected"),
    [
        ("At least two bridges gave way.", "Au moins deux ponts ont cédé.", "Au plus deux ponts ont cédé.", COMPARISON),
        ("Under half of them came.", "Moins de la moitié est venue.", "Plus de la moitié est venue.", COMPARISON),
        ("It costs no more than 9 euros.", "Il coûte au plus 9 euros.", "Il coûte au moins 9 euros.", COMPARISON),
        ("Prices soared in May.", "Les prix ont flambé en mai.", "Les prix ont chuté en mai.", DIRECTION),
        ("Output fell in June.", "La production a reculé en juin.", "La production a grimpé en juin.", DIRECTION),
        ("It rose from 31 to 40.", "Il est passé de 31 à 40.", "Il est passé de 40 à 31.", DIRECTION),
        ("A third of the wells are dry.", "Le tiers des puits est à sec.", "La moitié des puits est à sec.", NUMBER),
        ("One in four voted.", "Un quart a voté.", "Un sur trois a voté.", NUMBER),
        ("Exports doubled.", "Les exportations ont doublé.", "Les exportations ont triplé.", NUMBER),
    ],
)
def test_a_turned_fact_is_found(english: str, right: str, wrong: str, expected: FindingType) -> None:
    assert types(english, right) == set()
    assert expected in types(english, wrong)


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("Half of the pupils passed.", "50 % des élèves ont réussi."),
        ("A third of it was lost.", "33 % en ont été perdus."),
        ("It uses half as much water.", "Il utilise deux fois moins d'eau."),
        ("She came twice.", "Elle est venue deux fois."),
        ("The third week begins.", "La troisième semaine commence."),
        ("More rain fell and prices dropped.", "Il a plu davantage et les prix ont baissé."),
        ("The number fell, then rose.", "Le nombre a baissé, puis augmenté."),
        ("From 2019 to 2021 it stayed.", "De 2021 à 2019 il est resté."),
    ],
)
def test_the_same_fact_in_other_words_is_not(english: str, french: str) -> None:
    assert not types(english, french) & {COMPARISON, DIRECTION}
    assert "another fraction or multiple" not in {
        finding.detail for finding in check(english, french, source_language="en", target_language="fr")
    }


def test_what_is_found_of_the_contrast_set_does_not_get_less() -> None:
    with CONTRAST.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    seen, flagged = Counter[str](), 0
    for row in rows:
        languages = {"source_language": row["source_language"], "target_language": row["target_language"]}
        seen[row["kind"]] += bool(check(row["source"], row["wrong"], **languages))
        flagged += bool(check(row["source"], row["right"], **languages))
    assert seen["comparison"] >= 14
    assert seen["direction"] >= 9
    assert seen["fraction"] >= 22
    assert flagged <= 14
