"""Tells which names of a sentence its translation lacks or misspells.

`name_lookup` holds a summary to the exact names of its article; here words with a capital that translators translate
(`Sea`, `Monday`, `Kulu`) are no names. With Bambara a translator spells names anew, so sound decides: *Wasinton* is
Washington. Between English and French a name that stands there with other letters is found too (*Sannandung* for
*Sansanding*). It prefers silence to a false alarm: of a name of several words one is enough, and any acronym stands for
any other (`MRI`, `IRM`) unless `forms` lists both.

Its thresholds are set on FLORES-200 dev; `checks` has the rates by direction. From the translation of another sentence
34 to 42 % of the names are missing with Bambara, 77 to 81 % without. Between English and French, of 2026-11-25, against
sound alone as with Bambara: of human translations on devtest, which was not looked at, 6.0 and 4.8 % get a warning (3.0
and 2.2 %), and of names of five letters or more of which two are changed 83 and 82 % get one (8 and 6 %); looked up in
an article of 15 lines, as of an edition, 3.6 % (0.5 %) and 76 % (1 %).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kunnafoni.checks.names.forms import folded
from kunnafoni.checks.names.mentions import listed_spans, names_in
from kunnafoni.checks.names.spellings import same_spelling, sound, sounds_like
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*")
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
    livestock fisheries community communities stadium memorial
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri sat janv fevr avr juil
    usd eur cfa fcfa xof xaf
    lundi mardi mercredi jeudi vendredi samedi dimanche janvier fevrier mars avril mai juin juillet aout septembre
    octobre novembre decembre premier premiere ministre ministere presidente roi reine prince princesse dieu terre
    soleil lune monde mondiale guerre guerres mer fleuve riviere lac ile iles mont montagne vallee baie cap ville rue
    place parc maison palais tour pont eglise mosquee ecole universite institut academie hopital musee bibliotheque cour
    chambre parlement senat assemblee conseil comite departement bureau agence societe banque ligue parti fonds systeme
    loi etat etats nationale internationale unies unis uni royaume republique armee marine flotte garde jeux olympique
    olympiques championnat coupe nouveau nouvelle nord sud est ouest seconde deuxieme troisieme les des une aux dans
    pour avec sur que qui nous vous ils elle noire noir blanche blanc rouge sante affaires etrangeres interieur defense
    securite energie environnement independance haut haute bas centre centrale modern modernes elevage peche
    communaute stade
    jamana dine diyen kele keleba kelebolo kulu jekulu masa masake nemogo dugu mara marabolo fanga kalan kalanso lakoli
    ala matigi tubabu farafin tile kalo san waati kogoji baji gun so sira sariya bee olu nin ani nka do ce muso mogo
    folo filanan sabanan olenpik olenpiki sanfe duguma tenen tarata araba alamisa juma sibiri kari wasabulon
    """)
)
"""Words that are translated though they have a capital, folded."""

_SHORTEST_NAME, _SHORTEST_INVENTED = 3, 2
"""Letters of a name, and of a listed acronym that the translation may have invented; left out `US` is too often."""


class _Least(NamedTuple):
    """Least similarity by sound (Ratcliff and Obershelp) of a word of a name and a word of the other text."""

    alone: float
    """Of a name of one word."""
    of_several: float
    """Of one word of a name of several, to a word with a capital."""
    to_lower_case: float
    """Likewise, to a word without."""


_SAME_SOUND, _SAME_SOUND_IN_BAMBARA = 0.6, 0.5
_INVENTED = _Least(0.4, 0.55, 0.65)
"""For names of a translation; low, as both sides are tried, but of several words one is always somewhat alike. With
Bambara it finds 65 to 71 % of the names of several words that come from another sentence; 0.4 throughout finds 1 %."""

_FEWEST_LETTERS = 5
"""Letters of a name from which its spelling is looked at."""
_SAME_BEGINNING, _MOST_SHORTER = 3, 3
"""First sounds that a word derived from a name has in common with it, and how many fewer it has at most."""

_ROMAN_ORDINAL = re.compile(r"[IVX]+(?:e|er|ème)?")
_BAMBARA_MONTH = "kalo"
_BAMBARA_LETTERS = frozenset("ɛɔɲŋ")


def unmatched_names(
    text: str, other: str, *, text_language: str, other_language: str, invented: bool = False
) -> list[Span]:
    """Find the names of `text` of which `other` has no word or has one misspelt: one span a name, in order.

    Args:
        text: A sentence or its translation.
        other: The other one of them.
        text_language: `en`, `fr` or `bm`.
        other_language: `en`, `fr` or `bm`. If neither is `bm`, names have to be spelled alike too.
        invented: Whether `text` is the translation and `other` its source.
    """
    by_sound = "bm" in {text_language, other_language}
    least = _SAME_SOUND_IN_BAMBARA if by_sound else _SAME_SOUND
    leasts = _INVENTED if invented else _Least(least, least, least)
    heard = _Heard(other, leasts) if by_sound else _Read(text, other, leasts)
    listed = listed_spans(text)
    fewest = _SHORTEST_INVENTED if invented else _SHORTEST_NAME
    missing: list[Span] = []
    for mention in names_in(text):
        words = list(zip(mention.words, mention.spans, strict=True))
        acronyms = {
            word for word, span in words if span in listed and _is_acronym(word) and len(folded(word)) >= fewest
        }
        if text.isupper():  # there UN is a French article
            acronyms = set[str]()
        names = [word for word, _ in words if word not in acronyms and _is_name(word)]
        numbers = {listed[span] for _, span in words if span in listed}
        if (names or acronyms) and not heard.has(numbers, names):
            missing.append(Span(mention.spans[0].start, mention.spans[-1].end))
    return missing


def _is_name(word: str) -> bool:
    key = folded(word)
    if not key.isalpha() or _ROMAN_ORDINAL.fullmatch(word) or not _BAMBARA_LETTERS.isdisjoint(word.lower()):
        return False
    return len(key) >= _SHORTEST_NAME and key not in _TRANSLATED and not key.endswith(_BAMBARA_MONTH)


class _Heard:
    """The words of a text, by sound."""

    def __init__(self, text: str, least: _Least) -> None:
        self._words = frozenset(_WORD.findall(text))
        self._sounds = frozenset(map(sound, self._words))
        listed = listed_spans(text)
        self._listed = frozenset(listed.values())
        names = {text[span.start : span.end] for span in listed}
        self._has_acronym = any(_is_acronym(word) and word not in names for word in self._words)
        self._least = least
        self._capitalised = frozenset(sound(word) for word in self._words if word[0].isupper())

    def has(self, listed: AbstractSet[int], name: Sequence[str]) -> bool:
        """Whether one of the words of a name is among them, or one of the listed names that it is.

        Args:
            listed: The listed names that it has.
            name: Its words but for listed acronyms, which stand for nothing else; any other acronym does for any other.
        """
        if not self._listed.isdisjoint(listed) or (self._has_acronym and any(map(_is_acronym, name))):
            return True
        leasts = (self._least.alone,) * 2 if len(name) == 1 else self._least[1:]
        return any(
            sound(word) in self._sounds
            or any(sounds_like(word, *pair) for pair in zip((self._capitalised, self._sounds), leasts, strict=True))
            for word in name
        )


class _Read(_Heard):
    """The words of a text in the other one of English and French, where names keep their letters."""

    def __init__(self, text: str, other: str, least: _Least) -> None:
        super().__init__(other, least)
        listed = set(listed_spans(text).values())
        others = {other[span.start : span.end] for span, number in listed_spans(other).items() if number not in listed}
        names = {word for word in _WORD.findall(text) if word[0].isupper()}
        self._kin = self._words - others  # another listed name is no spelling of one: Nigeria is not Niger
        self._sounds_in_lower_case = {sound(word) for word in self._kin if not word[0].isupper()}
        self._strangers = {sound(word) for word in self._words if word in others or _is_stranger(word, names)}

    def has(self, listed: AbstractSet[int], name: Sequence[str]) -> bool:
        """As above, and no word of the name stands there misspelt."""
        if not self._listed.isdisjoint(listed):
            return True
        return super().has(listed, name) and not any(map(self._misspells, name))

    def _misspells(self, word: str) -> bool:
        """Whether only a capitalised word that is none of the names of the text sounds like `word`.

        A word in lower case may be what a name became (*islandais*): it has to begin like it and sound like it.
        """
        if len(word) < _FEWEST_LETTERS or any(same_spelling(word, other) for other in self._kin):
            return False
        own = sound(word)
        derived = (
            other
            for other in self._sounds_in_lower_case
            if other.startswith(own[:_SAME_BEGINNING]) and len(other) >= len(own) - _MOST_SHORTER
        )
        return sounds_like(word, self._strangers, _SAME_SOUND) and not sounds_like(word, derived, _SAME_SOUND)


def _is_stranger(word: str, names: Iterable[str]) -> bool:
    return word[0].isupper() and not any(same_spelling(word, name) for name in names)


def _is_acronym(word: str) -> bool:
    return len(word) > 1 and word.isupper()
