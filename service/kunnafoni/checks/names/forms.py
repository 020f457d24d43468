"""Which words are forms of one name, across letter case, inflection, derivation and the three languages.

Two sources: `forms.txt` lists countries, peoples, cities and organisations whose forms share too little
(*Allemagne*, *German*) or whose strangers share too much (*Niger*, *Nigeria*); a pattern of endings joins what is
derived from one stem (*Macron*, *macroniste*).

It does not know texts or where names begin: `names` does. Nor how names sound: `name_sounds` does.
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
SHORTEST_STEM = 4
"""Letters that two forms have in common at least, unless they are listed."""


def same_stem(word: str, other: str) -> bool:
    """Whether two folded words can be forms of one name by their letters.

    One is the stem, inflected at most, and the other has an ending that makes such forms: *Europe* and *européen*, but
    not *Christian* and *Christine*.
    """
    endings = ({word[stem:], other[stem:]} for stem in range(SHORTEST_STEM, common_beginning(word, other) + 1))
    return any(pair & _INFLECTIONS and all(map(_ENDING.fullmatch, pair)) for pair in endings)


def common_beginning(word: str, other: str) -> int:
    """How many letters two words have in common at their beginning."""
    letters = zip(word, other, strict=False)
    return next((place for place, (a, b) in enumerate(letters) if a != b), min(len(word), len(other)))


_SHORTEST_READ_AS_WORD = 4  # letters


def known_names_in(words: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Find listed names: the number of the name, the place of its first word and the place after its last, in order.

    Args:
        words: The words of a text as they stand there. An acronym of the list (`UN`) is found in capitals only, one of
            four letters or more (`Otan`) also with its first letter alone as a capital.
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
    """The number of the listed name that `keys` spell, a plural or inhabitant's ending taken off the last."""
    for ending in ("", "s", "w", "kaw"):  # not -ka: Malika is a first name
        if keys[-1].endswith(ending) and (found := forms.get((*keys[:-1], keys[-1].removesuffix(ending)))):
            number, acronym = found
            as_name = first_word[:1].isupper() and len(first_word) >= _SHORTEST_READ_AS_WORD
            return number if first_word.isupper() or as_name or not acronym else None
    return None


@cache
def _forms() -> tuple[Mapping[tuple[str, ...], tuple[int, bool]], Mapping[str, int]]:
    """The words of each form -> the number of its name and whether it is an acronym; and first word -> most words."""
    forms: dict[tuple[str, ...], tuple[int, bool]] = {}
    first_words: dict[str, int] = {}
    for number, line in enumerate(_FORMS_PATH.read_text("utf-8").splitlines()):
        for form in line.partition("#")[0].split(" / "):
            words = tuple(folded(word) for word in re.findall(r"(?:\w\.)+|\w+", form))
            if words:
                forms[words] = number, form.strip().isupper()
                first_words[words[0]] = max(len(words), first_words.get(words[0], 1))
    return forms, first_words
