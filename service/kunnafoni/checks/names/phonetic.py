"""Finds the names of a sentence that its translation lacks or misspells.

Words with a capital that translators translate (`Sea`, `Monday`, `Kulu`) are not names here. Bambara changes the
spelling of names, so names are compared by sound: *Wasinton* is Washington. Between English and French, a misspelt name
is a finding too (*Sannandung* for *Sansanding*). In doubt there is no finding: one word of a name is enough, and any
acronym can stand for any other (`MRI`, `IRM`) unless `forms` lists both. `lookup` is stricter, for one language.

The thresholds are set on FLORES-200 dev; `registry` has the rates of findings per direction. Compared with the
translation of another sentence, 34 to 42 % of the names are missing if one language is Bambara, 77 to 81 % otherwise.
Between English and French (2026-11-25; in brackets: by sound alone), 6.0 and 4.8 % of the human translations of
devtest, which was not used for tuning, have a finding (3.0 and 2.2 %), as have 83 and 82 % (8 and 6 %) of the names of
five letters or more in which two letters are changed. Looked up in 15 lines, as for an edition, it is 3.6 % (0.5 %) of
the translations and 76 % (1 %) of the changed names.
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
"""Words that are translated although they have a capital, folded."""

_MIN_NAME_LETTERS, _MIN_INVENTED_LETTERS = 3, 2
"""Of a name, and of a listed acronym that only the translation has; `US` is often left out of translations."""


class _Thresholds(NamedTuple):
    """Smallest similarity by sound (Ratcliff and Obershelp, 0 to 1) at which two words can be one name."""

    single_word: float
    """For a name of one word."""
    capitalised: float
    """For a word of a longer name and a word with a capital."""
    lower_case: float
    """For a word of a longer name and a word without a capital."""


_SAME_SOUND, _SAME_SOUND_IN_BAMBARA = 0.6, 0.5
_INVENTED = _Thresholds(0.4, 0.55, 0.65)
"""For names of a translation. They are low because the names of the source are looked up too; those for longer names
are higher because one of several words is always somewhat similar to another. With Bambara these thresholds find 65 to
71 % of the names of several words that come from another sentence; 0.4 for all of them finds 1 %."""

_MIN_SPELLED_LETTERS = 5
"""The spelling of names with fewer letters is not compared."""
_COMMON_BEGINNING, _MAX_SHORTER = 3, 3
"""A word derived from a name has so many first sounds in common with it, and at most so many fewer sounds."""

_ROMAN_ORDINAL = re.compile(r"[IVX]+(?:e|er|ème)?")
_BAMBARA_MONTH = "kalo"
_BAMBARA_LETTERS = frozenset("ɛɔɲŋ")


def unmatched_names(
    text: str, other: str, *, text_language: str, other_language: str, invented: bool = False
) -> list[Span]:
    """Find the names of `text` of which `other` has no word, or a misspelt one: one span per name, in order.

    Args:
        text: A sentence or its translation.
        other: The translation or the sentence.
        text_language: `en`, `fr` or `bm`.
        other_language: `en`, `fr` or `bm`. If neither is `bm`, the spelling is compared too.
        invented: Whether `text` is the translation and `other` its source.
    """
    by_sound = "bm" in {text_language, other_language}
    threshold = _SAME_SOUND_IN_BAMBARA if by_sound else _SAME_SOUND
    thresholds = _INVENTED if invented else _Thresholds(threshold, threshold, threshold)
    lookup = _SoundLookup(other, thresholds) if by_sound else _SpellingLookup(text, other, thresholds)
    listed = listed_spans(text)
    min_letters = _MIN_INVENTED_LETTERS if invented else _MIN_NAME_LETTERS
    missing: list[Span] = []
    for mention in names_in(text):
        words = list(zip(mention.words, mention.spans, strict=True))
        acronyms = {
            word for word, span in words if span in listed and _is_acronym(word) and len(folded(word)) >= min_letters
        }
        if text.isupper():  # in capitals, UN may be the French article
            acronyms = set[str]()
        names = [word for word, _ in words if word not in acronyms and _is_name(word)]
        numbers = {listed[span] for _, span in words if span in listed}
        if (names or acronyms) and not lookup.has(numbers, names):
            missing.append(Span(mention.spans[0].start, mention.spans[-1].end))
    return missing


def _is_name(word: str) -> bool:
    key = folded(word)
    if not key.isalpha() or _ROMAN_ORDINAL.fullmatch(word) or not _BAMBARA_LETTERS.isdisjoint(word.lower()):
        return False
    return len(key) >= _MIN_NAME_LETTERS and key not in _TRANSLATED and not key.endswith(_BAMBARA_MONTH)


class _SoundLookup:
    """The words of a text by their sound."""

    def __init__(self, text: str, thresholds: _Thresholds) -> None:
        self._words = frozenset(_WORD.findall(text))
        self._sounds = frozenset(map(sound, self._words))
        listed = listed_spans(text)
        self._listed = frozenset(listed.values())
        names = {text[span.start : span.end] for span in listed}
        self._has_acronym = any(_is_acronym(word) and word not in names for word in self._words)
        self._thresholds = thresholds
        self._capitalised = frozenset(sound(word) for word in self._words if word[0].isupper())

    def has(self, listed: AbstractSet[int], name: Sequence[str]) -> bool:
        """Whether the text has one of the words of a name, or one of the listed names in it.

        Args:
            listed: Numbers of the listed names in it.
            name: Its words without listed acronyms. An acronym that is not listed matches any other.
        """
        if not self._listed.isdisjoint(listed) or (self._has_acronym and any(map(_is_acronym, name))):
            return True
        thresholds = (self._thresholds.single_word,) * 2 if len(name) == 1 else self._thresholds[1:]
        return any(
            sound(word) in self._sounds
            or any(sounds_like(word, *pair) for pair in zip((self._capitalised, self._sounds), thresholds, strict=True))
            for word in name
        )


class _SpellingLookup(_SoundLookup):
    """The words of a text by sound and spelling, for English and French, in which names keep their letters."""

    def __init__(self, text: str, other: str, thresholds: _Thresholds) -> None:
        super().__init__(other, thresholds)
        listed = set(listed_spans(text).values())
        other_names = {
            other[span.start : span.end] for span, number in listed_spans(other).items() if number not in listed
        }
        names = {word for word in _WORD.findall(text) if word[0].isupper()}
        # Another listed name is not a spelling of this one: Nigeria is not Niger.
        self._candidates = self._words - other_names
        self._sounds_in_lower_case = {sound(word) for word in self._candidates if not word[0].isupper()}
        self._misspellings = {sound(word) for word in self._words if word in other_names or _is_new_name(word, names)}

    def has(self, listed: AbstractSet[int], name: Sequence[str]) -> bool:
        """As above, and no word of the name is misspelt in the text."""
        if not self._listed.isdisjoint(listed):
            return True
        return super().has(listed, name) and not any(map(self._misspells, name))

    def _misspells(self, word: str) -> bool:
        """Whether `word` sounds only like a capitalised word that is not spelled like any name of the other text.

        A word in lower case can be derived from a name (*islandais*) if it begins and sounds like it.
        """
        if len(word) < _MIN_SPELLED_LETTERS or any(same_spelling(word, other) for other in self._candidates):
            return False
        own = sound(word)
        derived = (
            other
            for other in self._sounds_in_lower_case
            if other.startswith(own[:_COMMON_BEGINNING]) and len(other) >= len(own) - _MAX_SHORTER
        )
        return sounds_like(word, self._misspellings, _SAME_SOUND) and not sounds_like(word, derived, _SAME_SOUND)


def _is_new_name(word: str, names: Iterable[str]) -> bool:
    return word[0].isupper() and not any(same_spelling(word, name) for name in names)


def _is_acronym(word: str) -> bool:
    return len(word) > 1 and word.isupper()
