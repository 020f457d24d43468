"""Finds words that were left in the source language."""

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

_MIN_COPIED_WORDS = 3


def check_untranslated(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """Find a run of words copied from the source: at least three in lower case, or two if the text has no others.

    A headline in capitals or title case has no words in lower case: it is found if all of it is copied.
    """
    in_source, in_target = source.words, target.words
    source_words, target_words = [word[0] for word in in_source], [word[0] for word in in_target]
    run = SequenceMatcher(None, source_words, target_words, autojunk=False).find_longest_match()
    copied = sum(word[0].islower() for word in source_words[run.a : run.a + run.size])
    whole = source_words == target_words != []
    if copied >= _MIN_COPIED_WORDS or (whole and (copied > 1 or is_headline(source.text))):
        source_span = Span(in_source[run.a].start(), in_source[run.a + run.size - 1].end())
        target_span = Span(in_target[run.b].start(), in_target[run.b + run.size - 1].end())
        yield Finding(FindingType.UNTRANSLATED, source_span, target_span, "copied from the source")


_BAMBARA_LETTER = re.compile("[ɛɔɲŋ]", re.IGNORECASE)


def check_left_in_bambara(source: AnalysedText, target: AnalysedText) -> Iterator[Finding]:
    """Find words with a letter of Bambara in English or French that the source does not have."""
    if target.language == "bm" or not _BAMBARA_LETTER.search(target.text):
        return
    source_words = {word[0] for word in source.words}
    for word in target.words:
        if _BAMBARA_LETTER.search(word[0]) and word[0] not in source_words:
            yield Finding(FindingType.UNTRANSLATED, None, Span(*word.span()), "Bambara word")
