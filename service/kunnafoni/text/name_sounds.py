"""Tells which names of a sentence its translation lacks, by sound: a translator spells names anew.

`name_lookup` holds a summary to the exact names of its article; here *Wasinton* is Washington and *Viyetinamu* is
Vietnam, and words with a capital that translators translate (`Sea`, `Monday`, `Kulu`) are no names. It prefers silence
to a false alarm: of a name of several words one is enough, and any acronym stands for any other (`MRI`, `IRM`).

Its thresholds are set on FLORES-200 dev: of the names of a sentence, 0.1 to 3.5 % are called missing from its human
translation, and 34 to 42 % (with Bambara), 77 to 81 % (without) from the translation of another sentence; `checks` has
the rates by direction.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING

from kunnafoni.text.name_forms import folded, known_names_in
from kunnafoni.text.names import names_in
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORD = re.compile(r"[^\W\d_]+")
_TRANSLATED = frozenset(
    _WORD.findall("""
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
    october november december today president prime minister ministry emperor lord saint mr mrs ms dr professor general
    colonel captain superintendent officer government god buddhist christian christianity muslim islamic jewish catholic
    protestant earth sun moon world war sea ocean river lake island islands mount mountain mountains valley falls bay
    cape city town village street road square park garden house hall palace tower bridge church temple mosque school
    college university institute academy hospital medicine museum library court parliament congress senate council
    committee commission department office bureau agency association society company bank union federation federal
    league party forum fund service services system act law bill constitution state states nation nations national
    international united kingdom republic empire army navy force forces fleet guard police games game olympic olympics
    championship championships cup grand great new old mid north south east west northern southern eastern western
    central middle upper lower high royal supreme final battle drivers operation electoral broadcasting asset management
    first second third fourth fifth seventh the and for from this that there these his her our your who what when where
    why how they she with but all one two three thirty day year years century age spring summer autumn winter black
    white red green blue bronze golden hurricane storm category health education science sciences arts art history
    heritage culture development security defence defense justice finance foreign affairs interior trade labour labor
    energy environment agriculture revolution independence resistance civil peace treaty conference summit times news
    press internet web leader player class figure channel airport station line code chief representatives
    lundi mardi mercredi jeudi vendredi samedi dimanche janvier fevrier mars avril mai juin juillet aout septembre
    octobre novembre decembre premier premiere ministre ministere presidente roi reine prince princesse dieu terre
    soleil lune monde mondiale guerre guerres mer fleuve riviere lac ile iles mont montagne vallee baie cap ville rue
    place parc maison palais tour pont eglise mosquee ecole universite institut academie hopital musee bibliotheque cour
    chambre parlement senat assemblee conseil comite departement bureau agence societe banque ligue parti fonds systeme
    loi etat etats nationale internationale unies unis uni royaume republique armee marine flotte garde jeux olympique
    olympiques championnat coupe nouveau nouvelle nord sud est ouest seconde deuxieme troisieme les des une aux dans
    pour avec sur que qui nous vous ils elle noire noir blanche blanc rouge sante affaires etrangeres interieur defense
    securite energie environnement independance haut haute bas centre centrale modern modernes
    jamana dine diyen kele keleba kelebolo kulu jekulu masa masake nemogo dugu mara marabolo fanga kalan kalanso lakoli
    ala matigi tubabu farafin tile kalo san waati kogoji baji gun so sira sariya bee olu nin ani nka do ce muso mogo
    folo filanan sabanan olenpik olenpiki sanfe duguma tenen tarata araba alamisa juma sibiri kari wasabulon
    """)
)
"""Words that are translated though they have a capital, folded."""

_SHORTEST_NAME = 3
_SAME_SOUND, _SAME_SOUND_IN_BAMBARA = 0.6, 0.5
"""Least similarity (Ratcliff and Obershelp) of two words by sound at which they are one name."""

_ROMAN_ORDINAL = re.compile(r"[IVX]+(?:e|er|ème)?")
_BAMBARA_MONTH = "kalo"
_BAMBARA_LETTERS = frozenset("ɛɔɲŋ")
_SOUNDS = re.findall(
    r"(\w+)>(\w*)",
    """
    sch>s tch>s sh>s ch>s ph>f th>t qu>k gu>g ck>k ou>u oo>u dj>j ge>je gi>ji ce>se ci>si c>k q>k x>ks z>s j>s w>u v>u
    y>i h>
    """,
)
_REPEATED = re.compile(r"(.)\1+")


def unheard_names(
    text: str, other: str, *, text_language: str, other_language: str, least: float | None = None
) -> list[Span]:
    """Find the names of `text` of which `other` has no word: one span a name, in order.

    Args:
        text: A sentence or its translation.
        other: The other one of them.
        text_language: `en`, `fr` or `bm`.
        other_language: `en`, `fr` or `bm`.
        least: Least similarity by sound, 0 to 1, at which two words are one name; None is what suits the languages.
    """
    if least is None:
        least = _SAME_SOUND_IN_BAMBARA if "bm" in {text_language, other_language} else _SAME_SOUND
    heard = _Heard(_WORD.findall(other), least)
    return [
        Span(mention.spans[0].start, mention.spans[-1].end)
        for mention in names_in(text)
        if (names := [word for word in mention.words if _is_name(word)]) and not heard.has_any(names)
    ]


def _is_name(word: str) -> bool:
    key = folded(word)
    if not key.isalpha() or _ROMAN_ORDINAL.fullmatch(word) or not _BAMBARA_LETTERS.isdisjoint(word.lower()):
        return False
    return len(key) >= _SHORTEST_NAME and key not in _TRANSLATED and not key.endswith(_BAMBARA_MONTH)


class _Heard:
    """The words of a text, by sound."""

    def __init__(self, words: Sequence[str], least: float) -> None:
        self._sounds = {_sound(word) for word in words}
        self._listed = {number for number, _, _ in known_names_in(words)}
        self._acronyms = any(map(_is_acronym, words))
        self._least = least

    def has_any(self, name: Sequence[str]) -> bool:
        """Whether one of the words of a name is among them."""
        if not self._listed.isdisjoint(number for number, _, _ in known_names_in(name)):
            return True
        return any((self._acronyms and _is_acronym(word)) or self._has(_sound(word)) for word in name)

    def _has(self, sound: str) -> bool:
        if sound in self._sounds:
            return True
        matcher = SequenceMatcher(None, "", sound, autojunk=False)
        for candidate in self._sounds:
            matcher.set_seq1(candidate)
            if matcher.real_quick_ratio() >= self._least <= matcher.quick_ratio() and matcher.ratio() >= self._least:
                return True
        return False


def _is_acronym(word: str) -> bool:
    return len(word) > 1 and word.isupper()


@lru_cache(maxsize=8192)
def _sound(word: str) -> str:
    """How a word sounds, roughly, in all three languages: spellings of a sound and doubled letters folded."""
    sound = folded(word)
    for spelling, letter in _SOUNDS:
        sound = sound.replace(spelling, letter)
    return _REPEATED.sub(r"\1", sound)
