from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kunnafoni.checks.generated_summary import BlockingFinding, blocking_findings, finished

ARTICLE = """La route entre Ségou et Markala est coupée depuis mardi 6 août. Les pluies ont emporté le pont sur 12
mètres, selon le maire Drissa Konaté. Les camions de riz font un détour de 80
kilomètres. "Nous perdons une journée entière",
dit un chauffeur."""


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ("Les pluies ont coupé la route entre Ségou et Markala, selon le maire Drissa Konaté.", []),
        ("", [BlockingFinding.EMPTY]),
        ("]] ] ] ] ] 12 ]", [BlockingFinding.EMPTY]),
        ("La route, la route, la route, la route est coupée.", [BlockingFinding.REPETITION]),
        ("Les pluies ont emporté le pont de Markala. Les pluies ont emporté le pont.", [BlockingFinding.REPETITION]),
        ("The rain has washed away the bridge and the trucks have to go around it.", [BlockingFinding.WRONG_LANGUAGE]),
        ("La route est coupée depuis 2019 à Sikasso.", [BlockingFinding.UNSUPPORTED]),
        ('"Tout est perdu pour nous", dit un chauffeur.', [BlockingFinding.UNSUPPORTED]),
    ],
)
def test_what_only_a_model_does_is_found(summary: str, expected: list[BlockingFinding]) -> None:
    assert blocking_findings(summary, ARTICLE, language="fr") == expected


@pytest.mark.parametrize("rest", ["\n\nSummary in French: la route est coupée.", "\nFrench: la route est coupée."])
def test_a_summary_that_goes_on_with_the_prompt_is_found(rest: str) -> None:
    assert BlockingFinding.PROMPT_COPY in blocking_findings(
        f"Les pluies ont emporté le pont.{rest}", ARTICLE, language="fr"
    )


def test_words_of_the_prompt_that_the_article_has_are_no_copy() -> None:
    article = "The sign read English: the town of Segou. The mayor had it painted last week."
    assert blocking_findings("A new sign read English: the town of Segou.", article, language="en") == []


@pytest.mark.parametrize(
    ("summary", "whole"),
    [
        ("La route est coupée. Les camions font un", "La route est coupée."),
        ("La route est coupée. Il pleut !", "La route est coupée. Il pleut !"),
        ('Il a dit : "C\'est fini."', 'Il a dit : "C\'est fini."'),
        ("La route est coupée", "La route est coupée"),
        ("", ""),
    ],
)
def test_a_sentence_that_was_cut_off_is_left_out(summary: str, whole: str) -> None:
    assert finished(summary, "fr") == whole


@settings(deadline=None)
@given(st.text(), st.sampled_from(["en", "fr", "bm"]))
def test_any_text_is_judged_and_its_whole_part_begins_it(text: str, language: str) -> None:
    assert isinstance(blocking_findings(text, ARTICLE, language=language), list)
    assert text.startswith(finished(text, language))
