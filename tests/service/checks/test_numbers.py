"""Numbers in figures and in words, in the three languages."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni.checks.mentions.number_words import factors_of, number_words_in, scale_of
from kunnafoni.checks.mentions.numbers import Writing, numbers_in, unmatched

LANGUAGES = st.sampled_from(["en", "fr", "bm"])


def values(text: str, language: str) -> list[Decimal]:
    return [mention.value for mention in numbers_in(text, language)]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "1,234.5", "1234.5"),
        ("en", "1,234,567", "1234567"),
        ("fr", "1 234,5", "1234.5"),
        ("fr", "1\u00a0234\u202f567", "1234567"),
        ("fr", "1.234.567,8", "1234567.8"),
        ("fr", "3,14", "3.14"),
        ("bm", "783.562", "783562"),
        ("en", "25%", "25"),
        ("fr", "25 %", "25"),
        ("en", "the 21st", "21"),
        ("fr", "le 2e", "2"),
        ("bm", "20nan", "20"),
        ("en", "0007", "7"),
        ("en", "2.5 million", "2500000"),
        ("fr", "14,7 milliards", "14700000000"),
        ("bm", "miliyɔn 16", "16000000"),
        ("bm", "kɛmɛ 3", "300"),
        ("bm", "kɛ̀mɛ 3", "300"),
        ("fr", "XIXe", "19"),
        ("fr", "Ier", "1"),
        ("en", "in ٣٤ villages", "34"),
    ],
)
def test_a_number_in_figures(language: str, text: str, expected: str) -> None:
    (mention,) = numbers_in(text, language)
    assert mention.value == Decimal(expected)
    assert mention.written_as is Writing.DIGITS


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "one hundred and five", 105),
        ("en", "twenty-first", 21),
        ("en", "a million two hundred thousand and six", 1_200_006),
        ("en", "two dozen", 24),
        ("en", "half past noon", 50),
        ("fr", "le centième", 100),
        ("en", "nine hundred ninety-nine thousand", 999_000),
        ("fr", "quatre-vingt-dix-sept", 97),
        ("fr", "quatre-vingts", 80),
        ("fr", "soixante et onze", 71),
        ("fr", "dix-sept", 17),
        ("fr", "mille neuf cent quatre-vingt-quatre", 1984),
        ("fr", "deux cent mille", 200_000),
        ("fr", "vingt-deuxième", 22),
        ("fr", "une quinzaine", 1),
        ("bm", "tan ni kelen", 11),
        ("bm", "tannifila", 12),
        ("bm", "mugan ni duuru", 25),
        ("bm", "bi saba ni naani", 34),
        ("bm", "biwɔɔrɔ", 60),
        ("bm", "kɛmɛ saba ni bi naani ni duuru", 345),
        ("bm", "ba fila ni kɛmɛ kɔnɔntɔn ni bi wolonwula ni segin", 2978),
        ("bm", "ba kɛmɛ duuru", 500_000),
        ("bm", "miliyɔn kelen", 1_000_000),
        ("bm", "filanan", 2),
        ("bm", "kɛ̀mɛ sàba", 300),
        ("bm", "tán ní dúuru", 15),
        ("fr", "deuxie\u0300me", 2),
    ],
)
def test_the_first_number_in_words(language: str, text: str, expected: int) -> None:
    value, start, end = number_words_in(text, language)[0]
    assert value == expected
    assert 0 <= start < end <= len(text)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "two and three", [2, 3]),
        ("en", "hundreds of thousands", []),
        ("fr", "des centaines de milliers", []),
        ("fr", "un, deux, trois", [1, 2, 3]),
        ("fr", "à midi, l'après-midi ou à minuit", [12, 0]),
        ("bm", "bi a bɛ ba in kɔnɔ wa?", []),
        ("bm", "fila, saba", [2, 3]),
        ("bm", "kɛlɛ kɛlen don, kɛ̀lɛ", []),
        ("bm", "mɔgɔ kelen, so kele", [1, 1]),
    ],
)
def test_words_that_are_several_numbers_or_none(language: str, text: str, expected: list[int]) -> None:
    assert [value for value, _, _ in number_words_in(text, language)] == expected


ONES = ["kelen", "fila", "saba", "naani", "duuru", "wɔɔrɔ", "wolonwula", "segin", "kɔnɔntɔn"]


def bambara(number: int) -> str:
    parts: list[str] = []
    for size, name in ((1000, "ba"), (100, "kɛmɛ")):
        count, number = divmod(number, size)
        if count:
            parts.append(f"{name} {bambara(count)}")
    tens, ones = divmod(number, 10)
    if tens:
        parts.append({1: "tan", 2: "mugan"}.get(tens) or f"bi {ONES[tens - 1]}")
    if ones:
        parts.append(ONES[ones - 1])
    return " ni ".join(parts)


@given(st.integers(1, 9_999))
def test_every_bambara_number_below_ten_thousand(number: int) -> None:
    assert [value for value, _, _ in number_words_in(bambara(number), "bm")] == [number]


@given(st.integers(0, 999_999_999))
def test_grouping_marks_do_not_matter(number: int) -> None:
    english, french = f"{number:,}", f"{number:,}".replace(",", "\u202f")
    assert not unmatched(numbers_in(english, "en"), numbers_in(french, "fr"))
    assert values(str(number), "bm") == [number]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "at 9:30 on 12/03/2024", [9, 30, 12, 3, 2024]),
        ("fr", "à 9 h 30, de 10-12 °C", [9, 30, 10, 12]),
        ("fr", "vers 11h00", [11]),
        ("en", "5 km2 at 11:00", [5, 11]),
        ("en", "from 2.30pm to 7.45 p.m., 2.5 hours, 1.25 million", [14, 30, 19, 45, Decimal("2.5"), 1_250_000]),
        ("fr", "le 76.12.34.56 jusqu'au 12.03.2024", [76, 12, 34, 56, 12, 3, 2024]),
        ("fr", "le 1er ministre le 1er mai", [1]),
        ("fr", "en 2004 300 personnes", [2004, 300]),
    ],
)
def test_numbers_beside_each_other(language: str, text: str, expected: list[Decimal]) -> None:
    assert values(text, language) == expected


@pytest.mark.parametrize(
    ("source_language", "source", "target_language", "target"),
    [
        ("en", "10 p.m.", "fr", "22 h"),
        ("en", "in the 1960s", "fr", "dans les années 60"),
        ("fr", "les années 70", "en", "the 1970s"),
        ("fr", "au XVIIIe siècle", "en", "in the 18th century"),
        ("fr", "Pie XII", "bm", "Pie 12nan"),
        ("en", "2.5 million", "bm", "miliyɔn 2,5"),
        ("en", "2.5 million", "fr", "2 500 000"),
        ("en", "1,234", "bm", "1,234"),
        ("fr", "17 km", "bm", "kilomɛtɛrɛ tan ni wolonwula"),
        ("en", "3 men", "fr", "trois hommes"),
        ("en", "20k litres for 3m people", "fr", "20 000 litres pour 3 000 000 de personnes"),
        ("en", "$2tn of trade", "fr", "2 000 milliards de dollars d'échanges"),
        ("fr", "un prêt de 12 M€ et de 3 Mds FCFA", "en", "a loan of €12m and of 3bn CFA francs"),
        ("bm", "miliyɔn 340 k'a se miliyɔn 500 ma", "en", "from 340 million to 500 million"),
        ("bm", "mɔgɔw 93 kɛmɛ sarada la", "fr", "93 % des gens"),
        ("en", "the 100m race", "fr", "le 100 m"),
        ("fr", "50 cents et 5 milles", "en", "50 cents and 5 miles"),
        ("fr", "de 5 à 6 milliards", "en", "from 5 billion to 6 billion"),
        ("en", "at 2.30pm, not at 2.00 p.m.", "fr", "à 14h30, pas à 14 h"),
        ("en", "from noon to midnight", "fr", "de 12 h à 0 h"),
        ("fr", "de midi à minuit", "en", "from 12 p.m. to 12 a.m."),
        ("fr", "un million et demi en deux ans et demi", "en", "1.5 million in 2.5 years"),
        ("en", "half a million, two and a half million", "fr", "500 000, 2,5 millions"),
        ("fr", "un demi-milliard, une demi-douzaine", "en", "500 million, 6"),
        ("bm", "san fila ni tilancɛ", "fr", "2,5 ans"),
        ("fr", "la moitié, un quart, les trois quarts", "en", "50%, 25%, 75%"),
        ("fr", "le 100e au XXIᵉ siècle", "en", "the hundredth in the 21st century"),
        ("en", "2-3 million", "fr", "2 000 000 à 3 000 000"),
    ],
)
def test_numbers_that_agree(source_language: str, source: str, target_language: str, target: str) -> None:
    source_numbers, target_numbers = numbers_in(source, source_language), numbers_in(target, target_language)
    assert not unmatched(source_numbers, target_numbers)
    assert not unmatched(target_numbers, source_numbers)


def test_numbers_that_do_not() -> None:
    (missing,) = unmatched(numbers_in("15 morts et 2 blessés", "fr"), numbers_in("150 dead, two wounded", "en"))
    assert missing.value == 15
    assert (missing.span.start, missing.span.end) == (0, 2)


@pytest.mark.parametrize(
    ("source_language", "source", "target_language", "target"),
    [
        ("fr", "une dette de 12 milliards", "en", "a debt of 12 million"),
        ("fr", "une dette de 12 milliards", "en", "a debt of 12 francs"),
        ("fr", "2,5 millions d'euros", "en", "2.5 billion euros"),
        ("en", "a loan of $1.5bn", "fr", "un prêt de 1,5 million de dollars"),
        ("en", "a loan of $3m", "fr", "un prêt de 3 dollars"),
        ("fr", "12 milliards", "bm", "miliyɔn 12"),
    ],
)
def test_a_wrong_magnitude_is_a_wrong_number(
    source_language: str, source: str, target_language: str, target: str
) -> None:
    source_numbers, target_numbers = numbers_in(source, source_language), numbers_in(target, target_language)
    assert len(unmatched(source_numbers, target_numbers)) == 1
    assert len(unmatched(target_numbers, source_numbers)) == 1


@given(st.text(), LANGUAGES)
def test_spans_lie_in_the_text_in_order(text: str, language: str) -> None:
    spans = [mention.span for mention in numbers_in(text, language)]
    assert spans == sorted(spans)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)


def test_a_number_of_a_hundred_thousand_digits_is_harmless() -> None:
    assert numbers_in("9" * 100_000 + " million", "en")


def test_scales() -> None:
    assert scale_of("Millions", "fr") == 10**6
    assert scale_of("kɛmɛ", "bm") == 100
    assert scale_of("maison", "fr") is None


def test_what_stands_beside_figures_and_may_be_no_scale() -> None:
    assert factors_of("bn", "en") == (10**9,)
    assert factors_of("m", "en") == (10**6, 1)
    assert factors_of("m", "fr") == ()
    assert factors_of("cents", "fr") == (100, 1)
