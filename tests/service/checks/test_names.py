from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kunnafoni.checks.names.forms import folded, known_names_in, same_stem
from kunnafoni.checks.names.lookup import missing_names
from kunnafoni.checks.names.mentions import names_in


def words_of_names(text: str) -> list[tuple[str, ...]]:
    return [mention.words for mention in names_in(text)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Hier, le maire Adama Sangaré a quitté Bamako.", [("Adama", "Sangaré"), ("Bamako",)]),
        ("Le président de la République du Niger est à l'ONU.", [("République", "Niger"), ("ONU",)]),
        ("Alexandre Dupont parle. Dupont insiste.", [("Alexandre", "Dupont"), ("Dupont",)]),
        ("La colère de Dupont. Dupont insiste.", [("Dupont",), ("Dupont",)]),
        ("Mali's army and the U.N. met J. Kennedy.", [("Mali",), ("U.N.",), ("Kennedy",)]),
        ("Jara y'a fɔ ko Modibo Keyita taara Segu.", [("Modibo", "Keyita"), ("Segu",)]),
        ('Thousands protest. "We stay," they said.', []),
        ("Floods Displace Thousands Across Southern Mali", [("Mali",)]),
        ("", []),
    ],
)
def test_names_are_found_where_a_capital_tells_something(text: str, names: list[tuple[str, ...]]) -> None:
    assert words_of_names(text) == names


def test_spans_of_names_are_offsets_in_code_points() -> None:
    text = "🌍 À Ségou, l'ONU aide."
    assert [[text[span.start : span.end] for span in name.spans] for name in names_in(text)] == [["Ségou"], ["ONU"]]


@pytest.mark.parametrize(
    ("name", "article"),
    [
        ("le Mali", "les autorités maliennes"),
        ("le Malien Keita", "Mali. Keita."),
        ("des Nations unies", "the UN mission"),
        ("à l'ONU", "l'Organisation des Nations unies"),
        ("à Tombouctou", "in Timbuktu"),
        ("the United States", "les Américains"),
        ("a Burkinabe", "le Burkina Faso"),
        ("la CEDEAO", "ECOWAS said"),
        ("Macron's plan", "le camp macroniste"),
        ("the European Broadcasting Union", "the EBU"),
        ("la FNAC", "la Fédération nationale des artisans de la céramique"),
        ("il cite Keïta", "KEITA"),
    ],
)
def test_a_name_is_found_in_another_form(name: str, article: str) -> None:
    assert missing_names(name, article) == []


@pytest.mark.parametrize(
    ("summary", "article", "missing"),
    [
        ("Le Niger a gagné.", "Le Nigeria a gagné.", "Niger"),
        ("La Guinée-Bissau vote.", "La Guinée vote.", "Guinée-Bissau"),
        ("L'élu Emmanuel Benalla parle.", f"Emmanuel Macron{' mot' * 9} Alexandre Benalla", "Emmanuel Benalla"),
        ("Il a vu Awa Diarra.", "Il a vu Awa Traoré.", "Diarra"),
        ("La CAF décide.", "La fédération décide.", "CAF"),
        ("Paris attend.", "La France attend.", "Paris"),
    ],
)
def test_a_name_that_the_article_lacks_is_found(summary: str, article: str, missing: str) -> None:
    assert [summary[span.start : span.end] for span in missing_names(summary, article)] == [missing]


def test_an_acronym_of_the_list_is_no_ordinary_word() -> None:
    assert list(known_names_in(["un", "homme", "who", "us"])) == []
    assert [places for _, *places in known_names_in(["L", "ONU", "et", "Burkina", "Faso"])] == [[1, 2], [3, 5]]


def test_folding_brings_the_three_spellings_together() -> None:
    assert [folded(word) for word in ("Ségou", "Ɛntɛrinɛti", "Ɲɔnɔn", "U.N.", "Cœur")] == [
        "segou",
        "enterineti",
        "nyonon",
        "un",
        "coeur",
    ]


def test_one_stem_needs_endings_that_make_forms_of_a_name() -> None:
    assert same_stem("musulman", "musulmans")
    assert same_stem("europe", "europeens")
    assert not same_stem("martin", "martel")
    assert not same_stem("christian", "christine")


@settings(deadline=None)
@given(st.text())
def test_every_text_has_all_names_of_itself(text: str) -> None:
    assert missing_names(text, text) == []
