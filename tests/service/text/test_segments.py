"""`split` loses nothing and finds sentences, whatever it is given; all texts were written for these tests."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni.text.segments import Segment, SegmentKind, sentences_in, split

PIECES = st.sampled_from(
    [
        *"aB1 .,;:!?…\n\r\t\x00\x0b\x1c\x85\u2028\u2029\u00a0\u202f\u200b\u200d\ufeff\u0301`~#->*•()«»“”\"'’éɛߊم😀🇲🇱@_",
        "\r\n",
        "\n\n",
        "```",
        "~~~\n",
        "- ",
        "| ",
        "12. ",
        "## ",
        "M. Keïta ",
        "J. ",
        "No. 5",
        "https://a.b/c_(d).",
        "www.x.ml",
        "n@b.co.uk",
        "`x = 1`",
        "un mot après l'autre, sur une longue ligne de texte\n",
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=60).map("".join))
LANGUAGES = st.sampled_from(["en", "fr", "bm"])


def texts_of(content: str, language: str = "fr") -> list[str]:
    return [segment.text for segment in split(content, language) if segment.kind is SegmentKind.TEXT]


def reported(content: str, language: str = "fr") -> list[tuple[str, str]]:
    return [(s.kind.value, s.text) for s in split(content, language) if s.kind is not SegmentKind.GAP]


@given(TEXTS, LANGUAGES)
def test_segments_cover_the_content(content: str, language: str) -> None:
    segments = split(content, language)
    assert "".join(segment.text for segment in segments) == content
    assert all(segment.text == content[segment.start : segment.end] != "" for segment in segments)
    assert [segment.end for segment in segments[:-1]] == [segment.start for segment in segments[1:]]


@given(TEXTS, LANGUAGES)
def test_each_kind_keeps_its_promise(content: str, language: str) -> None:
    segments = split(content, language)
    for segment in segments:
        if segment.kind is SegmentKind.TEXT:
            assert segment.text == segment.text.strip()
            assert any(map(str.isalpha, segment.text))
        if segment.kind is SegmentKind.GAP:
            assert not any(character in "😀🇲🇱" for character in segment.text)
    assert not any(a.kind is b.kind is SegmentKind.GAP for a, b in pairwise(segments))


@pytest.mark.parametrize(
    "unit", ["a", ".", "« ", "“ ", '?"', "\n", "word\n", "| ", "Fin. ", "https://a.b/c ", "a@", "- ", "`"]
)
def test_long_monotonous_contents_are_covered(unit: str) -> None:
    content = unit * (100_000 // len(unit))
    assert "".join(segment.text for segment in split(content, "fr")) == content


def test_lone_surrogates_do_not_stop_it() -> None:
    assert "".join(segment.text for segment in split("Un \ud800 mot. Deux.", "fr")) == "Un \ud800 mot. Deux."


def test_empty_content_has_no_segment() -> None:
    assert split("", "en") == []


def test_offsets_count_code_points() -> None:
    assert split("Bon 😀. Oui.", "fr") == [
        Segment("Bon 😀.", 0, 6, SegmentKind.TEXT),
        Segment(" ", 6, 7, SegmentKind.GAP),
        Segment("Oui.", 7, 11, SegmentKind.TEXT),
    ]


@pytest.mark.parametrize(
    ("language", "content", "sentences"),
    [
        ("en", "Rain fell. Mr. Diallo of the U.S. embassy left. Why?", 3),
        ("fr", "M. Traoré et Mme. Keïta sont là. Le Dr. Koné, non. J. Ba et J.-P. Sy aussi.", 3),
        ("fr", "L'art. 5 et le no. 7 du 3 janv. 2024 tiennent. Fin.", 2),
        ("fr", "« Nous partons. Venez ! » dit-elle. Il resta.", 2),
        ("fr", "Bulletin • Le vent tombe. La pluie vient. Les rues sont vides.", 3),
        ("fr", "Diallo Jr. a gagné. Les prix, taxes, etc. ont monté.", 2),
        ("fr", "M. de Kouyaté part. Mme. d'Almeida reste.", 2),
        ("bm", "A ko : « N taara. N segira. » O kɔ, a taara so. U nana wa? Ɔwɔ!", 4),
        ("fr", "Selon l'O.N.U., c'est grave. D'après l'A.F.P., l'U.E.M.O.A. a dit non.", 2),
        ("fr", "Le Prof. Clément Dembélé et le col. Assimi Goïta, du Bd. de l'Unité, ont pris 50 kg. de riz. Fin.", 2),
        ("fr", "Le col. Goïta a parlé hier. Il a passé le cap. La mer est calme.", 3),
        ("fr", "Le gén. Dembélé, le lt-col. Camara, l'Amb. Ba et le cap. Awa Sow y sont. Il voit le col. Il va.", 3),
        ("fr", "Le P.-D.G. de la société vit Av. de la Nation depuis l'an 50 av. J.-C. ou presque. Bien.", 2),
        ("en", "It began at 6 a.m. Tuesday. Approx. 20 men left at 7 p.m. The others stayed.", 3),
        ("en", "It runs from 9 a.m. GMT to 8 p.m. CEST. At 8 p.m. UTC it ends. At 9 p.m. IT IS OVER. All left.", 4),
        ("bm", "Prof. Kulibali nana. U ye malo kilo 5 san. a wulila.", 3),
        ("bm", "U ye ko kelen fɔ a ye a. Ɛsipaɲi kaw nana.", 2),
    ],
)
def test_sentences(language: str, content: str, sentences: int) -> None:
    assert len(texts_of(content, language)) == sentences


def test_a_long_quotation_is_divided_at_its_sentences() -> None:
    said = "Nous avons marché trois jours dans le sable pour atteindre le puits du village voisin. "
    assert len(texts_of(f"« {said}{said}{said}Il faut agir ! », a dit le chef.")) == 4


def test_a_hard_wrapped_paragraph_is_joined() -> None:
    content = (
        "Le président de la République du Mali est\narrivé mardi matin à Tombouctou, où il a\nrencontré le maire.\nFin"
    )
    assert texts_of(content) == [content[:-4], "Fin"]


def test_a_line_that_begins_in_lower_case_does_not_join_the_headlines_around_it() -> None:
    lines = [
        "Les pluies coupent la route nationale 6 près de Ségou",
        "Un nouveau marché au bétail est ouvert à Kati",
        "iTunes retire une chanson du groupe Songhoy Blues",
        "La campagne de vaccination commence lundi à Gao",
        "Le gouvernement annonce la reprise des cours dans toutes les régions",
    ]
    assert texts_of("\n".join(lines)) == [lines[0], f"{lines[1]}\n{lines[2]}", *lines[3:]]


def test_cells_between_tabs_are_segments_and_keep_their_columns() -> None:
    assert reported("- Mali\t Bamako\t21,9\t\tmillions d'habitants\n\tNiger\tNiamey\t26\n") == [
        ("text", "Mali"),
        ("text", "Bamako"),
        ("copied", "21,9"),
        ("text", "millions d'habitants"),
        ("text", "Niger"),
        ("text", "Niamey"),
        ("copied", "26"),
    ]


def test_cells_between_bars_are_segments_too() -> None:
    content = "| Ville | Prix |\n|---|:--|\n|Kayes|500|\n  | Bla | 20 F |\nNom | Âge\nAwa a|b, puis `ls | wc`.\n"
    assert reported(content) == [
        ("text", "Ville"),
        ("text", "Prix"),
        ("text", "Kayes"),
        ("copied", "500"),
        ("text", "Bla"),
        ("text", "20 F"),
        ("text", "Nom"),
        ("text", "Âge"),
        ("text", "Awa a|b, puis"),
        ("copied", "`ls | wc`"),
    ]


def test_lines_of_their_own_stay_apart() -> None:
    assert texts_of("Titre\nLe maire est venu hier\nSous-titre") == ["Titre", "Le maire est venu hier", "Sous-titre"]


@pytest.mark.parametrize("mark", ["- ", "• ", "•", "* ", "12. ", "3) ", "(4) ", "b) ", "## ", "> ", "— ", "- 1. "])
def test_marks_at_the_start_of_a_line_are_gaps(mark: str) -> None:
    assert texts_of(f"{mark}Premier point\n  {mark}Second") == ["Premier point", "Second"]


def test_initials_years_and_signs_at_the_start_of_a_line_are_text() -> None:
    content = "V. Diarra parle\n1960 fut une date\n-5 degrés"
    assert texts_of(content) == content.splitlines()


def test_addresses_and_code_come_back_as_they_were() -> None:
    content = "https://a.ml/x_(y)?z=1 Écrire à n.b@c.org, puis `rm -r`, (www.d.ml) ou voir : maliweb.net/une."
    assert reported(content) == [
        ("copied", "https://a.ml/x_(y)?z=1"),
        ("text", "Écrire à n.b@c.org, puis `rm -r`, (www.d.ml) ou voir :"),
        ("copied", "maliweb.net/une"),
    ]


@given(TEXTS, LANGUAGES)
def test_every_piece_for_the_model_is_in_one_whole_sentence(content: str, language: str) -> None:
    sentences = sentences_in(content, language)
    assert all(content[sentence.start : sentence.end] == sentence.text for sentence in sentences)
    assert all(one.end <= other.start for one, other in pairwise(sentences))
    for piece in (segment for segment in split(content, language) if segment.kind is SegmentKind.TEXT):
        assert sum(sentence.start <= piece.start and piece.end <= sentence.end for sentence in sentences) == 1


def test_whole_sentences_keep_their_addresses_and_leave_other_lines_out() -> None:
    content = (
        "- Écrire à n.b@c.org avant mardi. Ou voir https://a.ml/x.\n80 00 12 34\nhttps://b.ml\n\n```\nx = 1\n```\n"
    )
    assert [sentence.text for sentence in sentences_in(content, "fr")] == [
        "Écrire à n.b@c.org avant mardi.",
        "Ou voir https://a.ml/x.",
    ]


def test_an_apostrophe_is_no_code() -> None:
    assert reported("L`eau et l`air.") == [("text", "L`eau et l`air.")]


def test_fenced_code_is_copied_and_an_open_fence_is_not() -> None:
    assert reported("Avant\n```py\nx = 1\n\ny = 2\n```\nAprès") == [
        ("text", "Avant"),
        ("copied", "```py\nx = 1\n\ny = 2\n```\n"),
        ("text", "Après"),
    ]
    assert ("text", "Le reste de l'article") in reported("```\nLe reste de l'article")


@pytest.mark.parametrize("content", ["12/03/2024", "25 %", "😀😀", "3 500 €", "٣٤", "½"])
def test_no_letter_but_a_figure_or_symbol_is_copied(content: str) -> None:
    assert reported(f"{content}\n") == [("copied", content)]


@pytest.mark.parametrize("content", ["...", "— « » —", "=====", "\u0301", "\x00\x07", " \u2028 \n\t", "* * *", "-----"])
def test_punctuation_alone_is_a_gap(content: str) -> None:
    assert reported(content) == []


def test_other_scripts_are_text() -> None:
    assert texts_of("ߒߞߏ ߞߊߙߊ߲.\nمرحبا بالعالم.") == ["ߒߞߏ ߞߊߙߊ߲.", "مرحبا بالعالم."]
