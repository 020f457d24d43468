"""Whether two words can be one name, by how they are spelled and by how they sound.

Between English and French names keep their letters: what differs is an ending (*Copernicus*, *Copernic*), how a sound
is written (*Shevchenko*, *Chevtchenko*) or one letter. Bambara spells names anew, so there only the sound tells.

It does not know texts, nor names that have another word in the other language (*London*): `forms` lists those.
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
_ENDING = re.compile(r"(?:[uaio]s|es?|a|s)$")  # of a name that one language has in Latin or Greek
_FRENCH_ER = re.compile(r"(?<=[^aeiou])re$")
_SHORTEST_STEM = 4
_SHORTEST_VARIED = 6  # letters, as they sound, of a name of which one may be another


@word_cache
def sound(word: str) -> str:
    """How a word sounds, roughly, in all three languages: spellings of a sound and doubled letters folded."""
    heard = folded(word)
    for spelling, letter in _SOUNDS:
        heard = heard.replace(spelling, letter)
    return _REPEATED.sub(r"\1", heard)


def sounds_like(word: str, sounds: Iterable[str], least: float) -> bool:
    """Whether one of `sounds` is as similar to that of `word` as `least` asks (Ratcliff and Obershelp, 0 to 1)."""
    matcher = SequenceMatcher(None, "", sound(word), autojunk=False)
    for candidate in sounds:
        matcher.set_seq1(candidate)
        if matcher.real_quick_ratio() >= least <= matcher.quick_ratio() and matcher.ratio() >= least:
            return True
    return False


def same_spelling(word: str, other: str) -> bool:
    """Whether an English and a French word are one name by their letters."""
    return (
        _close(sound(word), sound(other))
        or same_stem(folded(word), folded(other))
        or (_stem(word) == _stem(other) and len(_stem(word)) >= _SHORTEST_STEM)
    )


def _close(word: str, other: str) -> bool:
    """Whether two sounds are equal, or one letter of long ones is another, too much or missing."""
    if word == other:
        return True
    if abs(len(word) - len(other)) > 1 or min(len(word), len(other)) < _SHORTEST_VARIED:
        return False
    same = common_beginning(word, other)
    return word[same + 1 :] == other[same + 1 :] or word[same:] == other[same + 1 :] or word[same + 1 :] == other[same:]


@word_cache
def _stem(word: str) -> str:
    """The sound of a name without the ending that English and French write differently: *Hanovre* is *Hanover*."""
    return sound(_ENDING.sub("", _FRENCH_ER.sub("er", folded(word))))
