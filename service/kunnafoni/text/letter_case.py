"""Letter case: text in capitals or Title Case to the sentence case that models learnt, and back.

Truecasing by the most frequent form of each word (Koehn et al. 2007, Moses), where the text itself says nothing.
Every function gives one code point for one code point, so spans stay what they were. It does not know models or
segments.

`letter_case.tsv` has the most frequent form of words inside sentences, with the language: 13,632 English, 8,268 French
and 1,778 Bambara words that are mostly capitalised, and the 12,000, 12,000 and 6,321 most frequent others. They
were counted in the texts that the embedded model was trained on (its model card has their licences), Europarl, laws of
Canada (Open Government Licence) and 150,000 sentences of Wikipedia (CC-BY-SA-3.0), 2026-12-01.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_FORMS_PATH = Path(__file__).with_name("letter_case.tsv")
_WORD = re.compile(r"[^\W\d_]+")
_SENTENCE_END = re.compile(r"[.!?…:]")
# A label is a run of words in capitals before a dash or a colon: `BREAKING: ...`, `BAMAKO – ...`.
_LABEL = re.compile(r"[^:–—\n]{3,60}?(?:\s*:\s|\s+[-–—]\s)")
# Shorter words in capitals are taken for acronyms (ONU, FIFA) if nothing around them is in capitals too.
_LEAST_LETTERS = 4
_LEAST_LETTERS_OF_RUN = 8
_LEAST_TITLE_WORDS = 4


class LetterCase(Enum):
    """How a text is written."""

    SENTENCE = "sentence"
    CAPITALS = "capitals"
    TITLE = "title"


@dataclass(frozen=True, slots=True)
class Truecased:
    """A text in sentence case, and how to write its translation in the form that it had.

    Attributes:
        text: As long as the original, with letters of another case.
        case: That of the whole text.
        label: Whether only its beginning, up to a dash or colon, was in capitals.
    """

    text: str
    case: LetterCase
    label: bool = False

    def restore(self, translation: str) -> str:
        """Write `translation` as the original was: all in capitals, or its label.

        Title Case stays in sentence case, as French and Bambara do not know it.
        """
        if self.case is LetterCase.CAPITALS:
            return to_capitals(translation)
        if self.label and (found := _LABEL.match(translation)):
            return to_capitals(found[0]) + translation[found.end() :]
        return translation


def letter_case(text: str) -> LetterCase:
    """How most of `text` is written; SENTENCE where there is too little to tell, as in an acronym alone."""
    words = _WORD.findall(text)
    letters = sum(map(len, words))
    capitals = sum(len(word) for word in words if word.isupper())
    if letters >= _LEAST_LETTERS and capitals >= 0.9 * letters and not (len(words) == 1 and _is_acronym(words[0])):
        return LetterCase.CAPITALS
    long_words = [word for word in words if len(word) >= _LEAST_LETTERS]
    if len(words) >= _LEAST_TITLE_WORDS and len(long_words) >= _LEAST_TITLE_WORDS - 1:
        titled = sum(word[0].isupper() for word in long_words)
        if titled == len(long_words):
            return LetterCase.TITLE
    return LetterCase.SENTENCE


def truecase(text: str, language: str, names: Mapping[str, str] | None = None) -> Truecased:
    """Write `text` in sentence case where it is in capitals or Title Case; other text comes back as it is.

    Args:
        text: A sentence or headline.
        language: `en`, `fr` or `bm`.
        names: Forms that the rest of the content uses, by their small letters; see `names_in`.
    """
    names = names or {}
    case = letter_case(text)
    if case is not LetterCase.SENTENCE:
        return Truecased(_recased(text, language, names, keep_unknown=case is LetterCase.TITLE), case)
    label = _LABEL.match(text)
    if label and letter_case(label[0]) is LetterCase.CAPITALS:
        rest = _runs_recased(text[label.end() :], language, names)
        return Truecased(_recased(label[0], language, names) + rest, case, label=True)
    return Truecased(_runs_recased(text, language, names), case)


def names_in(texts: Iterable[str]) -> dict[str, str]:
    """Capitalised words inside the sentences of `texts` that are in sentence case, by their small letters."""
    found: dict[str, str] = {}
    for text in texts:
        if letter_case(text) is LetterCase.SENTENCE:
            for word, begins in _words(text):
                if word[0][0].isupper() and not begins:
                    found.setdefault(word[0].lower(), word[0])
    return found


def to_capitals(text: str) -> str:
    """`text` in capitals, letter by letter: one that has no single capital (ß, ŉ) stays."""
    return "".join(capital if len(capital := letter.upper()) == 1 else letter for letter in text)


def _words(text: str, *, begins: bool = True) -> Iterator[tuple[re.Match[str], bool]]:
    """The words of `text`, each with whether a sentence begins with it; the first one does if `begins`."""
    done = 0
    for word in _WORD.finditer(text):
        yield word, begins or bool(_SENTENCE_END.search(text, done, word.start()))
        begins, done = False, word.end()


def _recased(
    text: str, language: str, names: Mapping[str, str], *, begins: bool = True, keep_unknown: bool = False
) -> str:
    """Each word of `text` in its most frequent form, the first one of a sentence capitalised."""
    pieces: list[str] = []
    done = 0
    for word, first in _words(text, begins=begins):
        known = names.get(word[0].lower()) or _form(word[0].lower(), language)
        form = known or (word[0] if keep_unknown else _small(word[0]))
        if len(form) != len(word[0]):
            form = word[0]
        if first:
            form = to_capitals(form[0]) + form[1:]
        pieces += (text[done : word.start()], form)
        done = word.end()
    return "".join((*pieces, text[done:]))


def _runs_recased(text: str, language: str, names: Mapping[str, str]) -> str:
    """Runs of words in capitals, and words such as `HEllo`, in sentence case; acronyms stay."""
    pieces: list[str] = []
    done = 0
    for start, end, begins in _runs(text):
        pieces += (text[done:start], _recased(text[start:end], language, names, begins=begins))
        done = end
    return "".join((*pieces, text[done:]))


def _runs(text: str) -> Iterator[tuple[int, int, bool]]:
    """Where words in capitals follow each other that are no row of acronyms, and where single words are as `HEllo`.

    Yields start, end, and whether a sentence begins there.
    """
    run: list[re.Match[str]] = []
    run_begins = False
    for word, begins in (*_words(text), (None, False)):
        joined = word and word[0].isupper() and run and text[run[-1].end() : word.start()] in {" ", "'", "’", "-", ", "}
        if word and joined:
            run.append(word)
            continue
        letters = sum(len(part[0]) for part in run)
        if len(run) > 1 and letters >= _LEAST_LETTERS_OF_RUN and not all(_is_acronym(part[0]) for part in run):
            yield run[0].start(), run[-1].end(), run_begins
        run, run_begins = ([word] if word and word[0].isupper() else []), begins
        if word and _is_accident(word[0]):
            yield *word.span(), begins


def _is_accident(word: str) -> bool:
    """Whether a word begins with two capitals by a slip of the shift key: `HEllo`, and not `MPs` or `McDonald`."""
    return len(word) > _LEAST_LETTERS and word[:2].isupper() and word[2:].islower()


def _is_acronym(word: str) -> bool:
    """Whether a word is short, or mostly written in capitals."""
    return len(word) < _LEAST_LETTERS or any(forms.get(word.lower()) == word for forms in _forms().values())


def _form(small: str, language: str) -> str | None:
    """The most frequent form of a word, by its small letters; names of one language are names in the others too."""
    forms = _forms()
    if (found := forms[language].get(small)) or language != "bm":
        return found
    elsewhere = (forms[code].get(small) for code in ("fr", "en"))
    return next((form for form in elsewhere if form and form != small), None)


def _small(text: str) -> str:
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


@cache
def _forms() -> Mapping[str, Mapping[str, str]]:
    forms: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for line in _FORMS_PATH.read_text("utf-8").splitlines():
        language, _, form = line.partition("\t")
        forms[language][form.lower()] = form
    return forms
