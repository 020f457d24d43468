"""Tells which words are forms of one name, across letter case, inflection, derivation and the three languages.

There are two sources. `forms.txt` lists countries, peoples, cities and organisations whose forms have too little in
common (*Allemagne*, *German*), or too much in common with other names (*Niger*, *Nigeria*). A pattern of endings
recognises words derived from one stem (*Macron*, *macroniste*).

It does not know texts or where names begin (see `mentions`), or how names sound (see `spellings`).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kunnafoni.text.word_cache import word_cache

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_FORMS_PATH = Path(__file__).with_name("forms.txt")

_LETTERS = str.maketrans({"ɛ": "e", "ɔ": "o", "ŋ": "n", "ɲ": "ny", "œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l"})


@word_cache
def folded(word: str) -> str:
    """`word` in lower case without accents, points and apostrophes, the letters of Bambara as plain ones."""
    if word.isascii() and word.isalnum():
        return word.lower()
    decomposed = unicodedata.normalize("NFKD", word.lower().translate(_LETTERS))
    return "".join(character for character in decomposed if character.isalnum())


_ENDING = re.compile(
    r"(?:[ei]?en(?:ne|e)?|i?ane?|aine?|ine?|aise?|oise?|ese|ite|ish|iste?|isme?|ale?|aux|iques?|ic|nelle?|nel|y|i|ie|ia"
    r"|kaw?|w|x|e)?s?"
)
_INFLECTIONS = frozenset({"", "s", "x", "e", "es", "w"})
MIN_STEM_LETTERS = 4
"""Two forms that are not listed have at least so many letters in common."""


def same_stem(word: str, other: str) -> bool:
    """Whether two folded words can be forms of one name, judged by their letters.

    One word must be the stem, possibly inflected, and the other must have an ending that derives such forms: *Europe*
    and *européen* are forms of one name, *Christian* and *Christine* are not.
    """
    endings = ({word[stem:], other[stem:]} for stem in range(MIN_STEM_LETTERS, common_beginning(word, other) + 1))
    return any(pair & _INFLECTIONS and all(map(_ENDING.fullmatch, pair)) for pair in endings)


def common_beginning(word: str, other: str) -> int:
    """How many letters two words have in common at their beginning."""
    letters = zip(word, other, strict=False)
    return next((place for place, (a, b) in enumerate(letters) if a != b), min(len(word), len(other)))


_MIN_LETTERS_AS_WORD = 4  # of an acronym that may be written like a word: `Otan`


def known_names_in(words: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Find listed names in order: the number of the name, the index of its first word, and the index after its last.

    Args:
        words: The words of a text as written. A listed acronym (`UN`) is found only in capitals; one of four letters or
            more (`Otan`) also with only its first letter as a capital.
    """
    forms, first_words = _forms()
    keys = [folded(word) for word in words]
    next_place = 0
    for place, key in enumerate(keys):
        if place < next_place:
            continue
        for length in range(first_words.get(key, 1), 0, -1):
            number = _number(forms, keys[place : place + length], words[place])
            if number is not None:
                next_place = place + length
                yield number, place, next_place
                break


def _number(forms: Mapping[tuple[str, ...], tuple[int, bool]], keys: Sequence[str], first_word: str) -> int | None:
    """The number of the listed name that `keys` spell, also with the ending of a plural or of inhabitants."""
    for ending in ("", "s", "w", "kaw"):  # not -ka: Malika is a first name
        if keys[-1].endswith(ending) and (found := forms.get((*keys[:-1], keys[-1].removesuffix(ending)))):
            number, acronym = found
            as_name = first_word[:1].isupper() and len(first_word) >= _MIN_LETTERS_AS_WORD
            return number if first_word.isupper() or as_name or not acronym else None
    return None


@cache
def _forms() -> tuple[Mapping[tuple[str, ...], tuple[int, bool]], Mapping[str, int]]:
    """Two maps: words of a form -> number of its name and whether it is an acronym; first word -> most words."""
    forms: dict[tuple[str, ...], tuple[int, bool]] = {}
    first_words: dict[str, int] = {}
    for number, line in enumerate(_FORMS_PATH.read_text("utf-8").splitlines()):
        for form in line.partition("#")[0].split(" / "):
            words = tuple(folded(word) for word in re.findall(r"(?:\w\.)+|\w+", form))
            if words:
                forms[words] = number, form.strip().isupper()
                first_words[words[0]] = max(len(words), first_words.get(words[0], 1))
    return forms, first_words
