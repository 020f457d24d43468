"""Finds the names of a text that another text in the same language does not have in any form.

A text has a name if it has each of its words: in any letter case, in another form (see `forms`), as the acronym of a
long form, or as the long form of an acronym. Two words that the other text has only in two different names (*Emmanuel
Benalla*) are not a name of it.

It does not know who did what: a right name in a wrong sentence is no finding. `phonetic` compares two languages.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kunnafoni.checks.names.forms import MIN_STEM_LETTERS, folded, known_names_in, same_stem
from kunnafoni.checks.names.mentions import WORD, listed_spans, names_in
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from kunnafoni.checks.names.mentions import NameMention

_MAX_DISTANCE = 6  # words between first and family name, such as a title, an initial or an age
_MIN_ACRONYM_WORDS = 3
_MAX_SKIPPED_LETTERS = 3  # of a word that an acronym leaves out (*des*, *of*)


def missing_names(text: str, other: str) -> list[Span]:
    """Find the names of `text` that `other` lacks: the span of their missing words, one span per name, in order.

    The first word of a sentence counts as a name unless it often opens sentences. So an ordinary word may be found, in
    2 % of human French summaries (OrangeSum dev) and in hardly any summary of a model.

    Args:
        text: A summary.
        other: The article that its names are looked up in.
    """
    lookup = _Lookup(other)
    listed = listed_spans(text)
    missing: list[Span] = []
    for mention in names_in(text, doubtful=True):
        words = zip(mention.words, mention.spans, strict=True)
        missing_spans = [span for word, span in words if not lookup.has_word(word, listed.get(span))]
        if not missing_spans and lookup.has_only_apart(mention, listed):
            missing_spans = list(mention.spans)
        if missing_spans and not lookup.has_acronym_of(mention.words):
            missing.append(Span(missing_spans[0].start, missing_spans[-1].end))
    return missing


class _Lookup:
    """The words of a text, in the forms in which names of another text may refer to them."""

    def __init__(self, text: str) -> None:
        words = [match[0] for match in WORD.finditer(text)]
        self._keys = [folded(word) for word in words]
        self._listed = {number for number, _, _ in known_names_in(words)}
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._in_lower_case: set[str] = set()
        self._by_beginning: defaultdict[str, set[str]] = defaultdict(set)
        for place, (word, key) in enumerate(zip(words, self._keys, strict=True)):
            self._places[key].append(place)
            self._by_beginning[key[:MIN_STEM_LETTERS]].add(key)
            if word[0].islower():
                self._in_lower_case.add(key)

    def has_word(self, word: str, listed: int | None) -> bool:
        """Whether the text has the word in any form; `listed` is the number of the listed name that has it, if any."""
        if listed is not None:
            return listed in self._listed
        key = folded(word)
        return (
            key in self._places
            or any(same_stem(key, candidate) for candidate in self._by_beginning.get(key[:MIN_STEM_LETTERS], ()))
            or (word.isupper() and self._spells(key))
        )

    def has_only_apart(self, mention: NameMention, listed: Container[Span]) -> bool:
        """Whether a name consists of two adjacent words that the text has only far from each other, in two names.

        Longer names are not examined: *la République François Hollande* is an office and a man.
        """
        if len(mention.words) != 2 or mention.spans[1].start - mention.spans[0].end > 1:  # noqa: PLR2004
            return False
        keys = [folded(word) for word in mention.words]
        if any(span in listed for span in mention.spans) or not self._in_lower_case.isdisjoint(keys):
            return False
        places, next_places = (self._places.get(key, []) for key in keys)
        near = any(abs(place - next_place) <= _MAX_DISTANCE for place in places for next_place in next_places)
        return bool(places and next_places) and not near

    def has_acronym_of(self, words: Sequence[str]) -> bool:
        """Whether the text has the acronym of a name of three words or more."""
        return len(words) >= _MIN_ACRONYM_WORDS and "".join(folded(word)[:1] for word in words) in self._places

    def _spells(self, acronym: str) -> bool:
        """Whether consecutive words begin with the letters of the acronym; short words may be skipped."""
        heads = [key for key in self._keys if len(key) > _MAX_SKIPPED_LETTERS]
        return any(
            all(key[0] == letter for key, letter in zip(heads[place:], acronym, strict=False))
            for place in range(len(heads) - len(acronym) + 1)
        )
