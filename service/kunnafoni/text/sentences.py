"""Finds where the sentences of one paragraph end, in English, French and Bambara.

`sentencex` finds the sentence ends; only its offsets are used. With release 1.0.32, its texts lose characters in long
runs of line breaks, its time is quadratic in unclosed quotation marks (5 s for 64,000 code points of `“ `), it finds no
end after a bullet, and its French rules end a sentence after `M.` or `J.`. So it gets at most 1,000 code points at
once, with white space and bullets folded, and its ends after titles, initials and `no.` are discarded.

It does not know paragraphs, line breaks, URLs or code: `segments` does.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import sentencex  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    from collections.abc import Callable

_SPACES = (code for code in range(0x3001) if chr(code).isspace() or unicodedata.category(chr(code)) == "Cc")
_SURROGATES = range(0xD800, 0xE000)
_BULLETS = map(ord, "•◦▪‣⁃■●○►")
_MASK = dict.fromkeys(_SPACES, " ") | dict.fromkeys(_SURROGATES, "x") | dict.fromkeys(_BULLETS, "-")
_WITHOUT_QUOTES = dict.fromkeys(map(ord, "«»“”„\"'‘’()"), " ")

_WINDOW_LENGTH = 1000
_LONG_SENTENCE_LENGTH = 250

_TITLES = (
    r"MM?|M(?:me|lle|gr|r|rs|s)s?|Drs?|Prs?|Me|Ste?|Gén|Gal|Gen|Col|Cdt|Cne|Cap|Lt|Maj|Sgt|Gov|Sen|Rep|Hon|Prof|Rév|Ing"
    r"|Amb|Ets|Bd|Av|prof|gén|gal|cdt|cne|lt|sgt|adj|lt-col"
)
_RANKS = r"col|cap"  # also "mountain pass" and "cape": then the next sentence usually begins with one of these
_BEGINNINGS = (
    r"Ils?|Elles?|On|Les?|La|Une?|Des|Du|Aux?|Ce|Cette|Ces|Cela|Mais|Et|Puis|Dans|En|Sur|Pour|Par|Selon|Après|Avant|Lors"
    r"|Nous|Vous|Son|Sa|Ses|Leurs?|Plus|Trois|Deux|The|He|She|It|They|This|These|There|In|At|We|But|And|After|Before|A"
)
_INITIAL = "[A-ZÀ-ÖØ-ÞƆƐƝŊ]"
_SMALL = "[a-zà-öø-ÿɛɔɲŋ]"
_NUMBERED = r"[Nn]os?|[Aa]rt|pp?|vol|fig|chap|janv|févr|avr|juil|sept|oct|nov|déc|[Aa]pprox|[Ee]nv"
_WITHIN = r"Jr|Sr|Inc|Ltd|Corp|Co|Cie|etc|vs|env|cf|approx|kg|km|cm|mm|ha|bd|av"
_NOT_AN_END = re.compile(
    rf"""
    (?<![^\s«“"'’(-])  # a whole word
    (?:
        (?:{_TITLES})\.\s*\0[^\W\d_]
        | (?:{_RANKS})\.\s*\0(?!(?:{_BEGINNINGS})\b){_INITIAL}{_SMALL}+
        | {_INITIAL}\.\s*\0(?:{_INITIAL}|{_SMALL}|-)
        | (?:{_NUMBERED})\.\s*\0\d
        | (?:{_WITHIN})\.\s*\0{_SMALL}
        | [ap]\.m\.\s*\0(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|[A-Z]{{2,3}}T|UTC)\b
    )
    | (?<=\.){_INITIAL}\.(?:\0{_INITIAL}|\s*\0{_SMALL})  # within O.N.U. and after it
    """,
    re.VERBOSE,
)
"""The text around an end that is not a sentence end; \\0 marks the end itself."""
_MAX_ABBREVIATION_LENGTH, _MAX_LENGTH_AFTER = 12, 24


def sentence_ends(paragraph: str, language: str) -> list[int]:
    """Offsets in code points at which the sentences of `paragraph` end, rising; the last one is its length.

    White space after a sentence belongs to it. A quotation of several sentences is one sentence up to 250 code points;
    a longer one is divided. Time is linear in the length of `paragraph`.

    Args:
        paragraph: Any string that is not empty; line breaks in it count as spaces.
        language: `en` for the English abbreviations; any other language, also Bambara, has the French rules.
    """
    text = paragraph.translate(_MASK)
    ends: list[int] = []
    start = 0
    while start < len(text):
        window = text[start : start + _WINDOW_LENGTH]
        found = _ends(window, language)
        if start + len(window) < len(text):
            cut_off = found.pop()
            found = found or _ends_in_quotation(window, language) or [window.rfind(" ") + 1 or cut_off]
        for sentence_start, sentence_end in pairwise([0, *found]):
            if sentence_end - sentence_start > _LONG_SENTENCE_LENGTH:
                inner = _ends_in_quotation(window[sentence_start:sentence_end], language)
                ends += [start + sentence_start + end for end in inner]
            ends.append(start + sentence_end)
        start = ends[-1]
    return ends


def _ends_in_quotation(sentence: str, language: str) -> list[int]:
    text = sentence.translate(_WITHOUT_QUOTES)
    return [end for end in _ends(text, language) if text[end:].lstrip()[:1].isupper()]


def _ends(window: str, language: str) -> list[int]:
    find = cast("Callable[[str, str], list[dict[str, int]]]", sentencex.get_sentence_boundaries)  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
    found = {boundary["end_index"] for boundary in find("en" if language == "en" else "fr", window)}
    return [end for end in sorted(found) if not is_abbreviation(window, end)] + [len(window)]


def is_abbreviation(window: str, end: int) -> bool:
    """Whether the sentence end at `end` only follows an abbreviation, or is the end of `window`."""
    around = f"{window[max(0, end - _MAX_ABBREVIATION_LENGTH) : end]}\0{window[end : end + _MAX_LENGTH_AFTER]}"
    return end >= len(window) or bool(_NOT_AN_END.search(around))
