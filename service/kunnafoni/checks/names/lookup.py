"""Tells which names of a text another text in the same language lacks, whatever their form.

A name is there if each of its words is: as the same word in any letter case, in another form (`forms`), or as the
acronym of a long form or the reverse. Two words that the other text has only in different names (*Emmanuel Benalla*)
are not one of its names.

It does not know who did what: a true name in a false sentence passes. For two languages see `name_sounds`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from kunnafoni.checks.names.forms import SHORTEST_STEM, folded, known_names_in, same_stem
from kunnafoni.checks.names.mentions import WORD, listed_spans, names_in
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from kunnafoni.checks.names.mentions import NameMention

_NEAR = 6  # words: first and family name, with a title, an initial or an age between them
_FEWEST_SPELLED = 3
_LONGEST_SKIPPED = 3  # letters: words that an acronym leaves out (*des*, *of*)


def missing_names(text: str, other: str) -> list[Span]:
    """Find the names of `text` that `other` lacks: where their missing words stand, one span a name, in order.

    The first word of a sentence counts as a name if it is no common opener. So an ordinary word may be found too: in
    2 % of human French summaries (OrangeSum dev), in hardly any that a model made.

    Args:
        text: A summary.
        other: The article that its names are looked up in.
    """
    lookup = _Lookup(other)
    listed = listed_spans(text)
    missing: list[Span] = []
    for mention in names_in(text, doubtful=True):
        words = zip(mention.words, mention.spans, strict=True)
        lacking = [span for word, span in words if not lookup.has_word(word, listed.get(span))]
        if not lacking and lookup.has_only_apart(mention, listed):
            lacking = list(mention.spans)
        if lacking and not lookup.has_acronym_of(mention.words):
            missing.append(Span(lacking[0].start, lacking[-1].end))
    return missing


class _Lookup:
    """The words of a text, as names of another may refer to them."""

    def __init__(self, text: str) -> None:
        words = [match[0] for match in WORD.finditer(text)]
        self._keys = [folded(word) for word in words]
        self._listed = {number for number, _, _ in known_names_in(words)}
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._in_lower_case: set[str] = set()
        self._by_beginning: defaultdict[str, set[str]] = defaultdict(set)
        for place, (word, key) in enumerate(zip(words, self._keys, strict=True)):
            self._places[key].append(place)
            self._by_beginning[key[:SHORTEST_STEM]].add(key)
            if word[0].islower():
                self._in_lower_case.add(key)

    def has_word(self, word: str, listed: int | None) -> bool:
        """Whether the text has the word in some form; `listed` is the listed name that it is part of, if any."""
        if listed is not None:
            return listed in self._listed
        key = folded(word)
        return (
            key in self._places
            or any(same_stem(key, candidate) for candidate in self._by_beginning.get(key[:SHORTEST_STEM], ()))
            or (word.isupper() and self._spells(key))
        )

    def has_only_apart(self, mention: NameMention, listed: Container[Span]) -> bool:
        """Whether a name is two words, one after the other, that the text has only as parts of names far apart.

        Longer names are not looked at: *la République François Hollande* is an office and a man.
        """
        if len(mention.words) != 2 or mention.spans[1].start - mention.spans[0].end > 1:  # noqa: PLR2004
            return False
        keys = [folded(word) for word in mention.words]
        if any(span in listed for span in mention.spans) or not self._in_lower_case.isdisjoint(keys):
            return False
        places, next_places = (self._places.get(key, []) for key in keys)
        near = any(abs(place - next_place) <= _NEAR for place in places for next_place in next_places)
        return bool(places and next_places) and not near

    def has_acronym_of(self, words: Sequence[str]) -> bool:
        """Whether the text has the acronym of a name of three words or more."""
        return len(words) >= _FEWEST_SPELLED and "".join(folded(word)[:1] for word in words) in self._places

    def _spells(self, acronym: str) -> bool:
        """Whether words that follow each other begin with the letters of the acronym; short ones may be skipped."""
        heads = [key for key in self._keys if len(key) > _LONGEST_SKIPPED]
        return any(
            all(key[0] == letter for key, letter in zip(heads[place:], acronym, strict=False))
            for place in range(len(heads) - len(acronym) + 1)
        )
