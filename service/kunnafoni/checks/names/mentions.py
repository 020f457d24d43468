"""Finds capitalised names in an English, French or Bambara text.

The first word of a sentence or quotation always has a capital. It counts as a name if a word with a capital follows
(*Alexandre Benalla*), if the text has it with a capital elsewhere too, or if it is an acronym or a listed name
(*Mali*); otherwise it is doubtful. In a headline in title case and in a text in capitals, only acronyms and listed
names count.

It does not know what a name stands for, or whether another text has it (see `lookup` and `phonetic`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from kunnafoni.checks.names.forms import folded, known_names_in
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WORD = re.compile(r"(?:[^\W\d_]\.){2,}|[^\W_](?:[^\W_]|[\u0300-\u036f])*")
"""One word: letters and digits, with points in an acronym; an apostrophe or hyphen ends it."""


@dataclass(frozen=True, slots=True)
class NameMention:
    """A name in a text: consecutive words with a capital, possibly with small words like *de* or *of* between them.

    Attributes:
        words: Its capitalised words, without elision (`l'`) and possessive (`'s`), without titles; at least one.
        spans: One span per word.
    """

    words: tuple[str, ...]
    spans: tuple[Span, ...]


def names_in(text: str, *, doubtful: bool = False) -> list[NameMention]:
    """Find the names of a text, in order; if `doubtful`, also first words of sentences that may be names."""
    words = _words(text)
    listed = {place for _, start, end in known_names_in([word.text for word in words]) for place in range(start, end)}
    elsewhere = {word.text for word in words if not word.starts}
    telling = not _capitals_tell_nothing(words)
    mentions: list[NameMention] = []
    for run in _runs(words):
        kept: list[_Word] = []
        for place in run:
            word, key = words[place], folded(words[place].text)
            if len(key) == 1 or key in _TITLES:
                continue
            sure = place in listed or _is_acronym(word)
            leads = place + 1 in run and words[place + 1].joins
            opens = key not in _OPENERS and (doubtful or leads or word.text in elsewhere)
            if sure or (telling and (opens or not word.starts)):
                kept.append(word)
        if kept:
            mentions.append(NameMention(tuple(word.text for word in kept), tuple(word.span for word in kept)))
    return mentions


@lru_cache(maxsize=2)  # a sentence and its translation, which several checks ask for
def listed_spans(text: str) -> Mapping[Span, int]:
    """Map the span of each word of a listed name to the number of the name."""
    matches = list(WORD.finditer(text))
    return {
        Span(*match.span()): number
        for number, start, end in known_names_in([match[0] for match in matches])
        for match in matches[start:end]
    }


def is_headline(text: str) -> bool:
    """Whether `text` is in title case or in capitals and has a word that is certainly not a name."""
    words = _words(text)
    return _capitals_tell_nothing(words) and any(folded(word.text) in _OPENERS for word in words)


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    span: Span
    starts: bool  # begins a sentence or quotation
    joins: bool  # may belong to one name with the word before


_SENTENCE_START = re.compile(r"[.!?…:;\n«“\"„‘]|[-–—•*]\s")
_JOINT = re.compile(r"[ \u00a0\u202f]|[-'’&]")
_ABBREVIATED = re.compile(r"[^\W\d_]|mme|mlle|mr|mrs|ms|dr|pr|st|ste|gen|col", re.IGNORECASE)
_LONG_WORD, _TITLE_CASE_SHARE, _FEWEST_LONG_WORDS = 4, 0.8, 5


def _words(text: str) -> list[_Word]:
    words: list[_Word] = []
    end = 0
    for match in WORD.finditer(text):
        gap = text[end : match.start()]
        abbreviated = gap in {". ", "."} and bool(words) and bool(_ABBREVIATED.fullmatch(words[-1].text))
        starts = not words or (bool(_SENTENCE_START.search(gap)) and not abbreviated)
        joins = abbreviated or bool(_JOINT.fullmatch(gap))
        words.append(_Word(match[0], Span(*match.span()), starts, joins))
        end = match.end()
    return words


def _runs(words: Sequence[_Word]) -> Iterator[list[int]]:
    """Yield the indices of words with a capital that belong together, with only joints and particles between them."""
    run: list[int] = []
    for place, word in enumerate(words):
        capital = word.text[0].isupper()
        if run and not (word.joins and (capital or word.text in _PARTICLES)):
            yield run
            run = []
        if capital:
            run.append(place)
    if run:
        yield run


def _is_acronym(word: _Word) -> bool:
    return word.text.isupper() and len(folded(word.text)) > 1


def _capitals_tell_nothing(words: Sequence[_Word]) -> bool:
    """Whether the text is in title case or in capitals."""
    long = [word for word in words if len(word.text) >= _LONG_WORD and not word.starts]
    capitals = sum(word.text[0].isupper() for word in long)
    return len(long) >= _FEWEST_LONG_WORDS and capitals >= _TITLE_CASE_SHARE * len(long)


_SPLIT = re.compile(r"\S+")
_PARTICLES = frozenset(_SPLIT.findall("de du des d da la le les l of the van von der den ben bin ibn al do dos di y"))
_TITLES = frozenset(
    _SPLIT.findall("""
    mr mrs ms miss dr mm mme mmes mlle me pr prof professor professeur sir lord lady st ste saint sainte
    president presidente vice prime premier premiere minister ministre secretary secretaire chancellor chancelier
    king queen prince princess roi reine princesse pope pape general colonel captain capitaine lieutenant commandant
    gen col lt sgt maj cpt capt sergeant sergent adjudant
    senator senateur governor gouverneur mayor maire judge juge sheikh cheikh imam
    """)
)
_OPENERS = frozenset(
    _SPLIT.findall("""
    about after again all also although among an and another any are around as at because been before being both but by
    can could despite did do does doing during each either even ever every few first following for from had has have
    having he her here his how however if in into is it its just last later like many meanwhile more moreover most much
    my neither never no nor not nothing now of on once one only or other our over part per perhaps rather same seven
    several she should since so some still such than that the their them then there these they this those though through
    thus to today together tomorrow too two under unless until up upon very was we well were what when where whether
    which while who why will with within without would yes yesterday yet you your
    afin ainsi alors apres assez au aucun aucune aujourd aupres aussi autant autre autres aux avant avec beaucoup bien
    car ce cela celle celles celui certain certaine certaines certains ces cet cette ceux chaque chez ci comme comment
    contre dans depuis derriere des desormais dont donc durant elle elles en encore enfin ensuite entre est et etait
    etre eux face fin grace hier il ils initialement interroge interrogee invite
    invitee je jusqu la le les leur leurs lors lorsqu lorsque lui ma mais malgre meme mes
    moins mon ne ni non nos notamment notre nous nul ou outre par parce parmi pas pendant peu plus plusieurs plutot pour
    pourquoi pourtant pres puis qu quand quant que quel quelle quelles quelque quelques quels qui quoi rien sa sans se
    selon sera ses seul seule si soit son sont sous suite sur ta tandis tant te telle tel tes ton tous tout toute
    toutefois toutes tres trop tu un une vers via voici voila vos votre vous
    aw ye be te na mun min minnu nin ninnu ko ani sa sisan kabini nka walima fana do dow mogo mogow bee kunu bi sini
    """)
)
"""Words that open sentences and are not names, folded."""
