"""Words that were left in the source language."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.names.mentions import is_headline
from kunnafoni.text.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.checks.analysed_text import AnalysedText

_WORD = re.compile(r"[^\W\d_]{2,}")
_FEWEST_COPIED_WORDS = 3


def check_untranslated(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """A run of words copied from the source, three of them in lower case, or two if that is all there is.

    A headline in capitals or title case has none in lower case: it is found if it is copied whole.
    """
    in_source, in_target = list(_WORD.finditer(source.text)), list(_WORD.finditer(target.text))
    source_words, target_words = [word[0] for word in in_source], [word[0] for word in in_target]
    run = SequenceMatcher(None, source_words, target_words, autojunk=False).find_longest_match()
    copied = sum(word[0].islower() for word in source_words[run.a : run.a + run.size])
    whole = source_words == target_words != []
    if copied >= _FEWEST_COPIED_WORDS or (whole and (copied > 1 or is_headline(source.text))):
        source_span = Span(in_source[run.a].start(), in_source[run.a + run.size - 1].end())
        target_span = Span(in_target[run.b].start(), in_target[run.b + run.size - 1].end())
        yield Finding(FindingType.UNTRANSLATED, source_span, target_span, "copied from the source")


_BAMBARA_LETTER = re.compile("[ɛɔɲŋ]", re.IGNORECASE)


def check_left_in_bambara(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """Words with a letter of Bambara in English or French, but for those that the source has."""
    if target.language == "bm" or not _BAMBARA_LETTER.search(target.text):
        return
    words = set(_WORD.findall(source.text))
    for word in _WORD.finditer(target.text):
        if _BAMBARA_LETTER.search(word[0]) and word[0] not in words:
            yield Finding(FindingType.UNTRANSLATED, None, Span(*word.span()), "Bambara word")
