"""Language identification through its public surface; all sentences were written for these tests."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kunnafoni.text.language_id import CONFIDENCE_FLOOR, LANGUAGES, WEIGHTS_PATH, Weights, identify, normalise
from scripts.train_language_id import main, plain, split_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENGLISH = (
    "Heavy rain has washed away the only bridge between the two villages.",
    "The minister said that teachers would be paid before the end of the month.",
    "Farmers are worried about the price of fertiliser this season.",
    "She has been selling vegetables at the market since she was twelve.",
    "Nobody was hurt, but three houses were destroyed by the fire.",
    "The health centre has run out of malaria medicine again.",
    "Who will pay for the repair of the road?",
    "Voters queued for hours under a burning sun.",
    "Our team lost the match by two goals to one.",
    "The river is lower than it has been for thirty years.",
    "More than 4,500 families received rice and oil on Tuesday.",
    "A new school opened this morning in the north of the country.",
)
FRENCH = (
    "Les élèves sont retournés à l'école après trois semaines de grève.",
    "Le ministre a promis que les enseignants seraient payés avant la fin du mois.",
    "Les cultivateurs s'inquiètent du prix de l'engrais cette année.",
    "Elle vend des légumes au marché depuis l'âge de douze ans.",
    "Personne n'a été blessé, mais trois maisons ont brûlé.",
    "Le centre de santé n'a plus de médicaments contre le paludisme.",
    "Qui va payer la réparation de la route ?",
    "Les électeurs ont attendu des heures en plein soleil.",
    "Notre équipe a perdu la rencontre par deux buts à un.",
    "Le fleuve est plus bas qu'il ne l'a été depuis trente ans.",
    "Plus de 4 500 familles ont reçu du riz et de l'huile mardi.",
    "Une nouvelle école a ouvert ce matin dans le nord du pays.",
)
BAMBARA = (
    "Sɛnɛkɛlaw bɛ ka sanji makɔnɔ kabini kalo fila.",
    "Muso ninnu bɛ taa sugu la sɔgɔma fɛ.",
    "Denmisɛnw ka kan ka taa lakɔli la don o don.",
    "Ji tɛ dugu kɔnɔ kabini kalo saba.",
    "Jamana ɲɛmɔgɔ ye kuma fɔ jama ɲɛna kunun.",
    "U ye lakɔliso kura dayɛlɛ Segu mara la.",
    "Malo sɔngɔ cayara sugu la ɲinan.",
    "N tɔgɔ ye Awa, n bɛ bɔ Sikaso.",
    "Dɔgɔtɔrɔw ko fura tɛ dɔgɔtɔrɔso kɔnɔ tugun.",
    "An ye kunnafoni duman sɔrɔ bi sɔgɔma.",
    "Jɔn bɛna sira in dilan an ye?",
    "Baji dɔgɔyara kosɛbɛ san in na.",
)
SENTENCES = [("en", text) for text in ENGLISH] + [("fr", text) for text in FRENCH] + [("bm", text) for text in BAMBARA]

HEADLINES = (
    ("en", "Rice prices rise again"),
    ("en", "Floods cut off three villages"),
    ("en", "Teachers end their strike"),
    ("fr", "Le prix du riz augmente"),
    ("fr", "Trois villages coupés du monde"),
    ("fr", "Fin de la grève des enseignants"),
    ("bm", "Malo sɔngɔ cayara"),
    ("bm", "Lakɔliden bɛɛ seginna"),
    ("bm", "Sanji bɛ ka na"),
)

OTHERS = (
    "La lluvia ha destruido el único puente entre los dos pueblos.",
    "A chuva destruiu a única ponte entre as duas aldeias.",
    "La pioggia ha distrutto l'unico ponte tra i due villaggi.",
    "La pluja ha destruït l'únic pont entre els dos pobles.",
    "Der Regen hat die einzige Brücke zwischen den beiden Dörfern zerstört.",
    "De regen heeft de enige brug tussen de twee dorpen verwoest.",
    "Mvua imeharibu daraja pekee kati ya vijiji hivi viwili.",
    "Ruwan sama ya lalata gadar da ke tsakanin kauyukan biyu.",
    "Yağmur iki köy arasındaki tek köprüyü yıktı.",
    "Mưa lớn đã phá hủy cây cầu duy nhất giữa hai làng.",
    "Дождь разрушил единственный мост между двумя деревнями.",
    "دمر المطر الجسر الوحيد بين القريتين.",
    "大雨冲毁了两个村庄之间唯一的一座桥。",
    "ߓߊ߲ߓߊߙߊ߲ߞߊ߲ ߦߋ߫ ߞߊ߲ ߠߋ߬ ߘߌ߫",
)

WITHOUT_LETTERS = (
    "",
    " \n\t",
    "2 500 000",
    "12/03/2026 — 14:30",
    "🙂🎉🌍",
    "?!…«»",
    "\u0301",
    "\x00\x07",
    "https://a.example/le-prix-du-riz",
)

VARIANTS: tuple[Callable[[str], str], ...] = (
    str.upper,
    plain,
    lambda text: plain(text).upper(),
    lambda text: plain(text, 1),
    lambda text: plain(text, 2),
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: f"\u200b12 % — {text} www.example.org/the-news editor@example.com 🌧",
)


@pytest.mark.parametrize(("code", "text"), SENTENCES)
def test_a_sentence_is_recognised_however_it_is_typed(code: str, text: str) -> None:
    assert identify(text).language_code == code
    assert [identify(change(text)).language_code for change in VARIANTS] == [code] * len(VARIANTS)


@pytest.mark.parametrize(("code", "text"), HEADLINES)
def test_a_headline_of_a_few_words_is_recognised(code: str, text: str) -> None:
    assert identify(text).language_code == code


@pytest.mark.parametrize("text", OTHERS)
def test_another_language_is_undetermined(text: str) -> None:
    detection = identify(text)
    assert detection.language_code == "und"
    assert detection.confidence == pytest.approx(1 - max(detection.scores.values()))


@pytest.mark.parametrize("text", WITHOUT_LETTERS)
def test_text_without_letters_is_undetermined(text: str) -> None:
    assert (identify(text).language_code, identify(text).confidence) == ("und", 1.0)


def test_names_and_numbers_do_not_hide_the_language() -> None:
    assert identify("Aminata Diallo et Ousmane Keïta ont visité Tombouctou le 12 mars 2026.").language_code == "fr"
    assert identify("Aminata Diallo and Ousmane Keïta visited Timbuktu on 12 March 2026.").language_code == "en"
    assert identify("Aminata Jalo ani Usumani Keyita taara Tumutu marisikalo tile 12 san 2026.").language_code == "bm"


def test_a_text_in_another_language_with_a_french_quote_is_undetermined() -> None:
    text = f"{OTHERS[4]} {OTHERS[4]} « Qui va payer ? » {OTHERS[4]}"
    assert identify(text).language_code == "und"


@pytest.mark.parametrize(("code", "sentences"), [("en", ENGLISH), ("fr", FRENCH), ("bm", BAMBARA)])
def test_an_article_of_a_megabyte_is_recognised_with_near_certainty(code: str, sentences: tuple[str, ...]) -> None:
    article = "\n\n".join(sentences)
    detection = identify(article * (1_000_000 // len(article) + 1))
    assert detection.language_code == code
    assert detection.confidence > 0.99


@given(st.text(st.characters(), max_size=60))  # lone surrogates included
@example("\ud800")
@example("a" * 100_000)
@example("ﷺ" * 7_000)
@example("' ' '")
@example("߀߁߂")
@settings(max_examples=300, deadline=None)
def test_any_string_gets_a_probability(text: str) -> None:
    detection = identify(text)
    assert detection.language_code in (*LANGUAGES, "und")
    assert 0 <= detection.confidence <= 1
    assert set(detection.scores) == set(LANGUAGES)
    assert sum(detection.scores.values()) <= 1 + 1e-9
    named = detection.language_code != "und"
    assert named == (max(detection.scores.values()) >= CONFIDENCE_FLOOR)


@given(st.text(st.characters(max_codepoint=0x36F), max_size=60))
@settings(deadline=None)
def test_unicode_form_makes_no_difference(text: str) -> None:
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(unicodedata.normalize("NFC", text))


def test_threads_get_the_same_answers() -> None:
    texts = [text for _, text in SENTENCES] * 4
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(identify, texts)) == [identify(text) for text in texts]


def test_the_weights_are_small_and_in_order() -> None:
    weights = Weights.load(WEIGHTS_PATH)
    assert WEIGHTS_PATH.stat().st_size < 1_000_000
    assert (weights.keys[1:] > weights.keys[:-1]).all()
    assert weights.weights.shape == (len(weights.keys) + 5, len(LANGUAGES))


def test_variants_of_a_language_are_not_split() -> None:
    assert split_of("oci_1") == split_of("oci_4") == split_of("oci")
    assert split_of("ven") == split_of("ven2")
    assert {split_of(f"{number:03}") for number in range(100)} == {"train", "dev", "held-out"}


def test_training_gives_the_same_bytes_again(tmp_path: Path) -> None:
    for code, sentences in (("en", ENGLISH), ("fr", FRENCH), ("bm", BAMBARA)):
        (tmp_path / f"{code}.txt").write_text("\n".join(sentences * 20), encoding="utf-8")
    lines = [f"{code}\t{text}" for code in ("aka", "deu", "nld", "por") for text in OTHERS]
    (tmp_path / "other.tsv").write_text("\n".join(lines), encoding="utf-8")
    for name in ("first.npz", "second.npz"):
        main([str(tmp_path), "--output", str(tmp_path / name)])
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
    weights = Weights.load(tmp_path / "first.npz")
    assert [weights.probabilities(normalise(text)).argmax() for _, text in SENTENCES] == [0] * 12 + [1] * 12 + [2] * 12


@pytest.mark.parametrize("text", ["Ń bɛ́ táa sùgu lá síni.", "Bámakɔ̀ dùgutigi yé jɛ̀kulu wéle kà kúma sànji kán."])
def test_bambara_with_tone_marks_is_bambara(text: str) -> None:
    assert identify(text).language_code == "bm"
    assert identify(unicodedata.normalize("NFD", text)).language_code == "bm"
