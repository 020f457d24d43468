"""Tells whether two words can be one name, judged by their spelling and their sound.

Between English and French, names keep their letters except for an ending (*Copernicus*, *Copernic*), the spelling of a
sound (*Shevchenko*, *Chevtchenko*) or one letter. Bambara changes the spelling, so only the sound can be compared.

It does not know texts, or names that are different words in two languages (*London*); `forms` lists those.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from kunnafoni.checks.names.forms import common_beginning, folded, same_stem
from kunnafoni.text.word_cache import word_cache

if TYPE_CHECKING:
    from collections.abc import Iterable

_SOUNDS = re.findall(
    r"(\w+)>(\w*)",
    """
    sch>s tch>s sh>s ch>s ph>f th>t qu>k gu>g ck>k ou>u oo>u dj>j ge>je gi>ji ce>se ci>si c>k q>k x>ks z>s j>s w>u v>u
    y>i h>
    """,
)
_REPEATED = re.compile(r"(.)\1+")
_ENDING = re.compile(r"(?:[uaio]s|es?|a|s)$")  # of a name that one of the languages has in its Latin or Greek form
_FRENCH_ER = re.compile(r"(?<=[^aeiou])re$")
_MIN_STEM_LETTERS = 4
_MIN_VARIED_SOUNDS = 6  # of a name in which one sound may differ


@word_cache
def sound(word: str) -> str:
    """The approximate sound of a word in any of the three languages: one letter per sound, no doubled letters."""
    heard = folded(word)
    for spelling, letter in _SOUNDS:
        heard = heard.replace(spelling, letter)
    return _REPEATED.sub(r"\1", heard)


def sounds_like(word: str, sounds: Iterable[str], threshold: float) -> bool:
    """Whether one of `sounds` has a similarity of `threshold` or more to `word` (Ratcliff and Obershelp, 0 to 1)."""
    matcher = SequenceMatcher(None, "", sound(word), autojunk=False)
    for candidate in sounds:
        matcher.set_seq1(candidate)
        if matcher.real_quick_ratio() >= threshold <= matcher.quick_ratio() and matcher.ratio() >= threshold:
            return True
    return False


def same_spelling(word: str, other: str) -> bool:
    """Whether an English and a French word are spellings of one name."""
    return (
        _close(sound(word), sound(other))
        or same_stem(folded(word), folded(other))
        or (_stem(word) == _stem(other) and len(_stem(word)) >= _MIN_STEM_LETTERS)
    )


def _close(word: str, other: str) -> bool:
    """Whether two sounds are equal or, if they are long, differ by one letter that is changed, added or missing."""
    if word == other:
        return True
    if abs(len(word) - len(other)) > 1 or min(len(word), len(other)) < _MIN_VARIED_SOUNDS:
        return False
    same = common_beginning(word, other)
    return word[same + 1 :] == other[same + 1 :] or word[same:] == other[same + 1 :] or word[same + 1 :] == other[same:]


@word_cache
def _stem(word: str) -> str:
    """The sound of a name without the ending that English and French write differently: *Hanovre* is *Hanover*."""
    return sound(_ENDING.sub("", _FRENCH_ER.sub("er", folded(word))))
