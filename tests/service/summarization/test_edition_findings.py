"""The order in which an editor is told things, and sentences in another language than their edition."""

from __future__ import annotations

from kunnafoni.checks.faithfulness import UnsupportedFactType
from kunnafoni.checks.finding import FindingType
from kunnafoni.summarization.edition_findings import (
    WORST_FIRST,
    EditionFinding,
    EditionFindingType,
    in_another_language,
    worst_first,
)
from kunnafoni.text.spans import Span
from kunnafoni.v1.result_pb2 import WarningType

WORDS = Span(3, 7)


def test_every_kind_has_a_place_and_a_name_on_the_wire() -> None:
    assert set(WORST_FIRST) == {*EditionFindingType, *FindingType, *UnsupportedFactType}
    for kind in WORST_FIRST:
        assert WarningType.Value(f"WARNING_TYPE_{kind}")


def test_worst_first_and_each_once() -> None:
    pivoted = EditionFinding(FindingType.PIVOTED, "by way of fr")
    number = EditionFinding(UnsupportedFactType.UNSUPPORTED_NUMBER, "not in the article", WORDS)
    capped = EditionFinding(EditionFindingType.OUTPUT_CAP, "its end may be missing")
    assert worst_first([pivoted, capped, pivoted, number]) == (number, capped, pivoted)


def test_of_two_about_the_same_words_the_worse() -> None:
    mismatch = EditionFinding(FindingType.NUMBER_MISMATCH, "not in the source", WORDS)
    number = EditionFinding(UnsupportedFactType.UNSUPPORTED_NUMBER, "not in the article", WORDS)
    other = EditionFinding(FindingType.NUMBER_MISMATCH, "not in the source", Span(8, 9))
    assert worst_first([mismatch, other, number]) == (number, other)


def test_a_sentence_in_another_language_is_found_with_its_place() -> None:
    english, french = "The bridge opened on Monday after two years. ", "Les camions paient deux mille francs au péage."
    [finding] = in_another_language(english + french, "en")
    assert finding.type is FindingType.UNTRANSLATED
    assert finding.span == Span(len(english), len(english + french))
    assert finding.detail == "this sentence is in French"
    [finding] = in_another_language(english + french, "fr")
    assert finding.span == Span(0, len(english))


def test_names_and_scraps_have_no_language() -> None:
    for text in ("", "12 340", "Aminata Coulibaly, Ségou", "“Allez les Aigles!”", "Oui."):
        assert in_another_language(text, "en") == []
