"""What no language owns comes back once, unchanged, in order, with the spaces and punctuation beside it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni.text.masking import MASKS, MaskedSentence, pieces_in

TEXTS = st.text(st.sampled_from("ab é.,!?()[]<>/b*_`{}%s#@&;:🏆🇲🇱\u200d☎→习ߒ1 \n"), max_size=60)


@pytest.mark.parametrize(
    ("sentence", "read"),
    [
        ("Ask editor@news.example, or ring us.", "Ask Zx1, or ring us."),
        ("The list (https://news.example/a) is long.", "The list (Zx1) is long."),
        ("See [our report](https://news.example/b) tonight.", "See our report tonight."),
        ("Type `make serve`, then wait.", "Type Zx1, then wait."),
        ("{user}, you have %(n)d letters from ${town}.", "Zx1, you have Zx2 letters from Zx3."),
        ("<li>Rain fell.</li>", "Rain fell."),
        ('A <em class="x">long</em> road.', "A long road."),
        ("We beat them 🥁🇲🇱 in Kayes.", "We beat them in Kayes."),
        ("🔔 Road closed", "Road closed"),
        ("**Cotton** sells at _last year's_ price.", "Cotton sells at last year's price."),
        ("A plain word – “quoted”, 38 °C, 5*3 and a_b_c.", "A plain word – “quoted”, 38 °C, 5*3 and a_b_c."),
        ("He met 王毅 today.", "He met Zx1 today."),
        ("Sɛnɛkɛlaw ye ɲɔ ni ŋaniya sɔrɔ.", "Sɛnɛkɛlaw ye ɲɔ ni ŋaniya sɔrɔ."),
    ],
)
def test_a_model_reads_whole_sentences(sentence: str, read: str) -> None:
    masked = MaskedSentence(sentence)
    assert masked.text == read
    assert masked.restore(read) == sentence
    assert masked.is_changed == (sentence != read)


@pytest.mark.parametrize(
    ("sentence", "translation", "restored"),
    [
        ("Ask ed@news.example, or ring us.", "Demandez à Zx1, ou appelez.", "Demandez à ed@news.example, ou appelez."),
        ("The <b>road</b> is closed.", "La route est fermée.", "La <b>route</b> est fermée."),
        ("Won by **Mali** today.", "Aujourd'hui Mali a gagné.", "Aujourd'hui **Mali** a gagné."),
        ("Thank you 🙏", "Merci", "Merci 🙏"),
        ("The cup 🏆 is ours.", "La coupe est à nous.", "La coupe 🏆 est à nous."),
        ("- ☎ 20 22 33 44", "20 22 33 44", "☎ 20 22 33 44"),
    ],
)
def test_it_comes_back_where_its_words_went(sentence: str, translation: str, restored: str) -> None:
    assert (MaskedSentence(sentence.removeprefix("- ")).restore(translation)) == restored


def test_a_mask_that_was_lost_or_doubled_is_told() -> None:
    for attempt, mask in enumerate(MASKS):
        masked = MaskedSentence("Ask ed@news.example now.", attempt=attempt)
        token = mask.format(1)
        assert masked.restore(f"Demandez {token} !") == "Demandez ed@news.example !"
        assert masked.restore("Demandez !") is None
        assert masked.restore(f"{token} {token}") is None
        assert masked.restore(f"{token}0") is None


@given(TEXTS)
def test_what_the_model_leaves_as_it_is_comes_back_as_it_was(sentence: str) -> None:
    masked = MaskedSentence(sentence)
    assert masked.restore(masked.text) == sentence


@given(TEXTS, st.text("ab c.", max_size=30))
def test_everything_comes_back_in_order_whatever_the_model_writes(sentence: str, written: str) -> None:
    masked = MaskedSentence(sentence)
    tokens = re.findall(r"Zx\d", masked.text)
    restored = masked.restore(" ".join((written, *tokens)))
    if restored is None:
        return
    position = 0
    marks = [sentence[piece.start : piece.end] for piece in pieces_in(sentence) if not piece.is_word]
    for mark in marks:
        position = restored.find(mark, position)
        assert position >= 0
        position += len(mark)
