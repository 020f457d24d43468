"""Findings about translations; all sentences were written for these tests."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.registry import check
from kunnafoni.text.spans import Span

TRANSLATIONS = (
    {
        "en": "On Monday 12 May, the Malian president, Assimi Goïta, received 25 teachers from Sikasso at 10:30 a.m.",
        "fr": "Le lundi 12 mai, le président malien, Assimi Goïta, a reçu 25 enseignants de Sikasso à 10 h 30.",
        "bm": "Tɛnɛn, mɛkalo tile tan ni fila, Mali ɲɛmɔgɔ Asimi Goyita ye Sikaso karamɔgɔ 25 bisimila 10 ni 30.",
    },
    {
        "en": "The World Bank will lend Niger 2.5 billion francs for 1,200 wells in the region of Zinder.",
        "fr": "La Banque mondiale prêtera au Niger 2,5 milliards de francs pour 1 200 puits dans la région de Zinder.",
        "bm": "Diɲɛ banki bɛna miliyari 2,5 juru don Nizɛri la, kɔlɔn ba kelen ni kɛmɛ fila kama Zinder mara la.",
    },
    {
        "en": "Women in the village sell soap and vegetables on the market.",
        "fr": "Les femmes du village vendent du savon et des légumes au marché.",
        "bm": "Dugu musow bɛ safinɛ ni nakɔfɛnw feere sugu la.",
    },
)
LINE_UP = "Djibril Diarra, Hamidou Traoré, Fousseni Sacko, Boubou Konaté, Amadou Haïdara"
PAIRS = list(itertools.permutations(("en", "fr", "bm"), 2))


def kinds(source: str, target: str, source_language: str = "fr", target_language: str = "en") -> set[FindingType]:
    return {f.type for f in check(source, target, source_language=source_language, target_language=target_language)}


@pytest.mark.parametrize("translations", TRANSLATIONS)
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_good_translation_has_no_finding(translations: dict[str, str], source: str, target: str) -> None:
    assert kinds(translations[source], translations[target], source, target) == set()


@pytest.mark.parametrize("translations", TRANSLATIONS)
@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_third_of_a_translation_has_one(translations: dict[str, str], source: str, target: str) -> None:
    third = translations[target][: len(translations[target]) // 3]
    assert FindingType.LENGTH_RATIO in kinds(translations[source], third, source, target)


def test_a_changed_number_is_found_on_both_sides() -> None:
    source, target = "Il y a 15 morts et deux blessés.", "There are 50 dead and 2 wounded."
    findings = check(source, target, source_language="fr", target_language="en")
    assert findings == [
        Finding(FindingType.NUMBER_MISMATCH, Span(7, 9), None, "number not found in the translation"),
        Finding(FindingType.NUMBER_MISMATCH, None, Span(10, 12), "number not found in the source"),
    ]


def test_a_missing_and_an_invented_name_are_found() -> None:
    source, target = "Hier le maire Moussa Coulibaly est venu.", "Yesterday the mayor, Wolfgang Pennington, came."
    findings = check(source, target, source_language="fr", target_language="en")
    assert [finding.type for finding in findings] == [FindingType.NAME_MISSING] * 2
    missing, invented = findings[0].source_span, findings[1].target_span
    assert missing
    assert invented
    assert source[missing.start : missing.end] == "Moussa Coulibaly"
    assert target[invented.start : invented.end] == "Wolfgang Pennington"


@pytest.mark.parametrize(
    ("source", "target", "found"),
    [
        ("An ye Abdulayi Mayiga ye Sikaso.", "We saw Hillary Clinton in Sikasso.", True),
        ("Bakari Kulibali ko a bɛ taa Segu.", "Barack Obama said he is going to Ségou.", True),
        ("Bakari Kulibali ko a bɛ taa Segu.", "Bakary Coulibaly said he is going to Ségou.", False),
    ],
)
def test_another_person_is_found_in_a_translation_from_bambara(source: str, target: str, *, found: bool) -> None:
    findings = check(source, target, source_language="bm", target_language="en")
    assert any(finding.target_span for finding in findings) == found


@pytest.mark.parametrize(
    ("source_language", "source", "target_language", "target"),
    [
        ("fr", "Elle vit à Washington.", "bm", "A bɛ Wasintɔn."),
        (
            "en",
            "ECOWAS, WAEMU, NATO and the UN met in Cairo.",
            "fr",
            "Cédéao, Uemoa, Otan et Onu se sont vus au Caire.",
        ),
        ("en", "The Economic Community of West African States met.", "fr", "Hier, la CEDEAO s'est réunie."),
        (
            "en",
            "On Wed. Feb. 3 and on Nov. 4, Sgt. Diarra spoke.",
            "fr",
            "Mercredi 3 février et le 4 novembre, le sergent Diarra a parlé.",
        ),
        ("en", "The talks in Kati begin on Aug. 3.", "bm", "Kumaɲɔgɔnya bɛ daminɛ Kati utikalo tile 3."),
        (
            "en",
            "They rest on Easter and Christmas in the Emirates.",
            "fr",
            "Ils se reposent à Pâques et à Noël aux Émirats.",
        ),
        (
            "en",
            "The Minister of Livestock and Fisheries left.",
            "fr",
            "Le ministre de l'Élevage et de la Pêche est parti.",
        ),
        ("fr", "Il a payé 500 FCFA.", "bm", "A ye sefawari 500 sara."),
        ("fr", "UN CAMION TOMBE AU FLEUVE", "en", "A TRUCK FALLS INTO THE RIVER"),
        ("fr", "Il va en Allemagne.", "en", "He goes to Germany."),
        ("en", "We met in June at the University.", "fr", "Nous nous sommes vus en juin à l'université."),
        ("en", "He had an MRI scan.", "fr", "Il a passé une IRM."),
        ("en", "It is in the Malian capital.", "fr", "C'est dans la capitale du Mali."),
        ("bm", "A taara Bamako Sugu kɔnɔ.", "fr", "Il est allé au marché de Bamako."),
        ("en", "They live in New Zealand and on Iceland.", "fr", "Ils vivent en Nouvelle-Zélande et en Islande."),
        ("en", "He cites Pythagoras to a Hungarian crowd.", "fr", "Il cite Pythagore devant une foule hongroise."),
        ("en", "The Gulf of Guinea is deep.", "fr", "Le golfe de Guinée est profond."),
        ("en", "A bridge at Sansanding.", "bm", "Sɛn bɛ Sansandin."),
        ("fr", "Le ge\u0301ne\u0301ral Dembe\u0301le\u0301 est là.", "en", "General Dembélé is here."),
        ("fr", "La MINUSMA est partie.", "en", "The UN mission has left."),
        ("fr", "Hier, les Sud-Soudanais ont voté.", "en", "Yesterday, the people of South Sudan voted."),
        ("en", "Yesterday the Fulani elected a chief.", "fr", "Hier, les peuls ont élu un chef."),
        ("fr", "Hier, le pape François a cité Mère Teresa.", "en", "Yesterday Pope Francis quoted Mother Teresa."),
        ("en", "A play on Julius Caesar opens.", "fr", "Une pièce sur Jules César commence."),
    ],
)
def test_names_in_another_form_are_not_missing(
    source_language: str, source: str, target_language: str, target: str
) -> None:
    assert FindingType.NAME_MISSING not in kinds(source, target, source_language, target_language)


@pytest.mark.parametrize(
    ("english", "french", "name"),
    [
        ("A bridge has opened at Sansanding.", "Un pont a ouvert à Sannandung.", "Sansanding"),
        ("The mayor, Moussa Coulibaly, came.", "Le maire, Moussa Coulipady, est venu.", "Moussa Coulibaly"),
        ("The team of Niger has won.", "L'équipe du Nigeria a gagné.", "Niger"),
        ("She flew to Australia.", "Elle est allée en Autriche.", "Australia"),
        ("She flew to South Sudan.", "Elle est allée au Soudan.", "South Sudan"),
    ],
)
def test_between_english_and_french_a_name_that_only_sounds_right_is_found(
    english: str, french: str, name: str
) -> None:
    findings = check(english, french, source_language="en", target_language="fr")
    back = check(french, english, source_language="fr", target_language="en")
    assert {finding.type for finding in (*findings, *back)} == {FindingType.NAME_MISSING}
    spans = [finding.source_span for finding in findings] + [finding.target_span for finding in back]
    assert {english[span.start : span.end] for span in spans if span} == {name}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("L'ONU a condamné l'attaque.", "The EU condemned the attack."),
        ("L'OMS a condamné l'attaque.", "NATO condemned the attack."),
        ("La CEDEAO a levé les sanctions contre le Mali.", "NATO lifted the sanctions against Mali."),
        ("C'est neuf fois la norme de l'OMS.", "This is nine times the WHO standard of the US."),
        ("La Cédéao a levé les sanctions.", "The EU lifted the sanctions."),
        ("Elle travaille à la BCEAO.", "She works at the FBI."),
    ],
)
def test_one_organisation_does_not_stand_for_another(source: str, target: str) -> None:
    assert FindingType.NAME_MISSING in kinds(source, target)


def test_a_loop_is_found_where_it_begins_to_repeat() -> None:
    target = "A bɛ se ka taa " + "ka sɔrɔ " * 30
    (finding,) = (
        finding
        for finding in check("Il peut y aller.", target, source_language="fr", target_language="bm")
        if finding.type is FindingType.REPETITION
    )
    assert finding.target_span == Span(23, len(target) - 1)
    assert finding.detail == "repeated 30 times"


def test_what_the_source_repeats_may_be_repeated() -> None:
    assert FindingType.REPETITION not in kinds("non, non, non, non, dit-il", "no, no, no, no, he said")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (
            "The ministers of health, justice and defence have resigned today.",
            "Le ministre de la Santé, le ministre de la Justice et le ministre de la Défense ont démissionné.",
        ),
        ("They need five billion francs.", "Il leur faut 5 000 000 000 de francs."),
    ],
)
def test_an_enumeration_and_a_big_number_are_no_loops(source: str, target: str) -> None:
    assert FindingType.REPETITION not in kinds(source, target, "en", "fr")


def test_what_comes_again_and_again_with_something_between_is_a_loop() -> None:
    target = "Le maire de Kati a dit oui, le maire de Gao, le maire de San et le maire de Bla."
    assert FindingType.REPETITION in kinds("The mayors of Kati, Gao, San and Bla said yes.", target, "en", "fr")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Les pluies ont détruit trois maisons.", "Les pluies ont détruit trois maisons."),
        ("Les pluies ont détruit trois maisons hier soir.", "Rain has détruit trois maisons last night."),
        ("prix du riz", "prix du riz"),
        ("MALI : LE PRÉSIDENT EST ARRIVÉ À BAMAKO POUR LES NÉGOCIATIONS",) * 2,
        ("Le Président Malien Arrive À Paris Pour Des Pourparlers",) * 2,
    ],
)
def test_copied_words_are_found(source: str, target: str) -> None:
    assert FindingType.UNTRANSLATED in kinds(source, target)


@pytest.mark.parametrize(
    ("source_language", "source", "target", "found"),
    [
        ("fr", "Dans 71 puits, l'eau est bonne.", "In 71 kɔlɔn, the water is good.", True),
        ("bm", "Ɲɛkɔrɔ Jara nana Segu.", "Ɲɛkɔrɔ Diarra came to Ségou.", False),
    ],
)
def test_a_bambara_word_in_a_translation_is_found(
    source_language: str, source: str, target: str, *, found: bool
) -> None:
    assert (FindingType.UNTRANSLATED in kinds(source, target, source_language)) == found


@pytest.mark.parametrize("text", ["Radio Kledu", "Bamako", "Hotel", "Festival international", "25 %", "", LINE_UP])
def test_what_is_the_same_in_both_languages_is_not(text: str) -> None:
    assert kinds(text, text) == set()


@pytest.mark.parametrize(
    ("french", "english"),
    [
        ("de 8 h à 17 h 30", "from 8 a.m. to 5:30 p.m."),
        ("120 personnes ont fui.", "One hundred and twenty people fled."),
        ("à 0 h", "at midnight"),
        ("5 millions d'euros", "€5m"),
    ],
)
def test_short_texts_vary_in_length(french: str, english: str) -> None:
    assert FindingType.LENGTH_RATIO not in kinds(french, english)
    assert FindingType.LENGTH_RATIO not in kinds(english, french, "en", "fr")


def test_a_short_text_has_no_long_translation() -> None:
    assert FindingType.LENGTH_RATIO in kinds(
        "Il a fui.", "He fled to the town with all his children and never again came home."
    )


def test_a_word_of_bambara_may_come_three_times_but_no_more_often() -> None:
    assert kinds("They came in one by one.", "U donna kelen kelen kelen.", "en", "bm") == set()
    assert FindingType.REPETITION in kinds("They came in one by one.", "U donna kelen kelen kelen kelen.", "en", "bm")


@pytest.mark.parametrize("target", ["", " \n"])
def test_an_empty_translation_is_found(target: str) -> None:
    assert FindingType.LENGTH_RATIO in kinds("Oui.", target)


def test_one_language_is_not_compared() -> None:
    assert check("Il y a 15 morts.", "", source_language="fr", target_language="fr") == []


def test_spans_shift() -> None:
    assert Span(2, 5).shifted(10) == Span(12, 15)


@given(st.text(), st.text(), st.sampled_from(PAIRS))
def test_spans_lie_in_their_texts(source: str, target: str, pair: tuple[str, str]) -> None:
    for finding in check(source, target, source_language=pair[0], target_language=pair[1]):
        assert finding.detail
        for span, text in ((finding.source_span, source), (finding.target_span, target)):
            assert span is None or 0 <= span.start < span.end <= len(text)
