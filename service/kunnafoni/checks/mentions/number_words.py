"""Numbers spelled in words, in English, French and Bambara, up to the billions.

Bambara numerals are those of the GATITOS lexicon (*kelen, fila, saba ... tan, mugan, bisaba, kɛmɛ, ba, miliyɔn*) with
their spellings in Bayelemabaga and FLORES-200 dev, with folded letters (ɛ to e, ɔ to o) and without tone marks. In
Bambara the scale comes first (*kɛmɛ saba*, 300), *ni* joins the parts, and *ba tan ni duuru* means 15,000. *Ba*, *wa*
and *waga* (1,000) and *bi* (tens) have other meanings too and count only before a numeral.

*Half* and *moitié* stand for 50 (per cent), *quart* for 25, *midi* for 12.

It does not know digits or the other meanings of numerals: *un* and *one* are often not numbers, *neuf* is also "new",
*segin* also "return". So a number in words can match a number of the other text, but must not be required there.
"""

from __future__ import annotations

import re
import unicodedata

from kunnafoni.text.word_cache import word_cache


def _numbered(words: str, first: int, step: int = 1) -> dict[str, int]:
    """Number the words of a string; slashes separate the spellings of one number."""
    return {word: first + step * place for place, group in enumerate(words.split()) for word in group.split("/")}


_ENGLISH = {
    **_numbered("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen", 0),
    **_numbered("sixteen seventeen eighteen nineteen", 16),
    **_numbered("twenty thirty forty fifty sixty seventy eighty ninety", 20, 10),
    **_numbered("first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth", 1),
    **_numbered("fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth", 14),
    **_numbered("twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth", 20, 10),
    **_numbered("hundredth thousandth", 100, 900) | _numbered("once twice", 1),
    **_numbered("midnight noon", 0, 12) | _numbered("quarter half quarters", 25, 25),
}
_FRENCH = {
    **_numbered("zéro un/une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize", 0),
    **_numbered("vingt/vingts trente quarante cinquante soixante septante huitante/octante nonante", 20, 10),
    **_numbered("premier/première/premiers/premières/unième deuxième/second/seconde troisième quatrième cinquième", 1),
    **_numbered("sixième septième huitième neuvième dixième onzième douzième treizième quatorzième quinzième", 6),
    **_numbered("seizième", 16) | _numbered("vingtième trentième quarantième cinquantième soixantième", 20, 10),
    **_numbered("dizaine vingtaine trentaine quarantaine cinquantaine soixantaine", 10, 10),
    **_numbered("centième millième", 100, 900) | _numbered("quinzaine", 15),
    **_numbered("minuit midi", 0, 12) | _numbered("quart moitié quarts", 25, 25),
}
_SMALL = {"en": _ENGLISH, "fr": _FRENCH}
_SCALES = {
    "en": {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12},
    "fr": {"douzaine": 12, "cent": 100, "centaine": 100, "mille": 1000, "millier": 1000}
    | {"million": 10**6, "milliard": 10**9},
    "bm": {"keme": 100, "ba": 1000, "wa": 1000, "waa": 1000, "waga": 1000}
    | dict.fromkeys(("miliyon", "milion", "milyon", "miliyoni"), 10**6)
    | dict.fromkeys(("miliyari", "miliari", "milyari", "biliyon"), 10**9),
}
_FRENCH_SHORT_SCALES = {"M": 10**6} | dict.fromkeys(("Md", "Mds", "Mrd", "Mrds"), 10**9)
_SHORT_SCALES = {
    "en": {"k": 1000, "K": 1000, "m": 10**6, "M": 10**6, "bn": 10**9, "tn": 10**12},
    "fr": _FRENCH_SHORT_SCALES | {"k": 1000},
    "bm": _FRENCH_SHORT_SCALES,  # `340 k'a se` is no 340,000
}
"""Abbreviations after figures."""
_BAMBARA_UNITS = {
    **_numbered("kelen/kele fila/fla saba naani/nani duuru/duru/looru wooro/woro", 1),
    **_numbered("wolonwula/wolonwila/wolonfila/wolonfla/wolowula/wolowila/wolofila/wolola segin/seegin/cegin/segi", 7),
    **_numbered("kononton/kononto/konoton/konontan", 9),
}
_BAMBARA = (
    _BAMBARA_UNITS
    | {"folo": 1, "tan": 10, "mugan": 20, "migan": 20}
    | {f"tanni{word}": 10 + value for word, value in _BAMBARA_UNITS.items()}
    | {f"bi{word}": 10 * value for word, value in _BAMBARA_UNITS.items() if value in range(3, 10)}
    | {f"keme{word}": 100 * value for word, value in _BAMBARA_UNITS.items()}
)
_BARE = {"ba", "wa", "waa", "waga"}
"""Scales that are ordinary words unless a numeral follows."""
_ALSO_UNITS = {"cent", "mille", "k", "m", "keme"}
"""Scales that are units too, as in `50 cents`, `100m` or `93 kɛmɛ sarada la`, 93 per cent."""
_NO_BAMBARA_NUMBERS = {"kɛlɛ", "kɛlen"}
"""*War* and *done*: with folded letters they would be *kelen*, one."""
_BAMBARA_FOLDING = str.maketrans("ɛɔɲŋ", "eonn")
WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*")
"""Letters, with composed or combining accents."""
_TOKEN = re.compile(rf"après.midi|{WORD.pattern}", re.IGNORECASE)  # in `après-midi`, *midi* is not 12
_BREAK = "."
"""Stands in a list of words for whatever separates two words other than spaces or a hyphen."""


@word_cache
def scale_of(word: str, language: str) -> int | None:
    """The factor of a scale (`million`, `mille`, `kɛmɛ`), also in the plural; None if `word` is not a scale."""
    scales, folded = _SCALES[language], _folded(word, language)
    return scales.get(folded, scales.get(folded.removesuffix("s")))


def factors_of(word: str, language: str) -> tuple[int, ...]:
    """The possible factors of `word` beside figures, most likely first; empty if it is not a scale.

    Abbreviations are scales here (`bn`, `Md`). A word that may be a unit (`m`, `cents`) has 1 as its second factor.
    """
    scale = _SHORT_SCALES[language].get(word) or scale_of(word, language)
    if scale is None:
        return ()
    folded = _folded(word, language)
    return (scale, 1) if folded in _BARE or folded.removesuffix("s") in _ALSO_UNITS else (scale,)


def number_words_in(text: str, language: str) -> list[tuple[int, int, int]]:
    """Find the numbers spelled in words: value, start and end in code points, in order.

    Args:
        text: Any text.
        language: `en`, `fr` or `bm`.
    """
    found = list(_TOKEN.finditer(text))
    words: list[str] = []
    places: list[int] = []
    for place, match in enumerate(found):
        if place and text[found[place - 1].end() : match.start()].strip(" -\u2010\u2011\u00a0\u202f\n"):
            words.append(_BREAK)
            places.append(place)
        words.append(_folded(match[0], language))
        places.append(place)
    parse = _bambara if language == "bm" else _english_or_french
    mentions: list[tuple[int, int, int]] = []
    start = 0
    while start < len(words):
        value, end = parse(words, start, language)
        if end > start:
            mentions.append((value, found[places[start]].start(), found[places[end - 1]].end()))
        start = max(end, start + 1)
    return mentions


@word_cache
def _folded(word: str, language: str) -> str:
    if language != "bm":
        return unicodedata.normalize("NFC", word.lower())
    letters = "".join(filter(str.isalpha, unicodedata.normalize("NFD", word.lower())))
    return letters if letters in _NO_BAMBARA_NUMBERS else letters.translate(_BAMBARA_FOLDING).removesuffix("nan")


_TEN, _HUNDRED = 10, 100
_ONES, _TEENS, _TENS = range(1, 10), range(10, 20), range(20, 100, 10)


def _english_or_french(words: list[str], start: int, language: str) -> tuple[int, int]:
    """The number that begins at word `start`, and the index of the word after it; `start` if there is no number."""
    total, group, least_scale = 0, None, 10**15
    end = start
    for place in range(start, len(words)):
        word = words[place]
        if word in {"and", "et"} and end > start:
            continue
        scale = scale_of(word, language)
        if scale is None:
            joined = _joined(group, words[place - 1], _SMALL[language].get(word), language)
        else:
            joined = _multiplied(group, scale, least_scale, vague=word.endswith("s"))
        if joined is None:
            break
        group, end = joined, place + 1
        if scale is not None and scale in range(1000, least_scale):
            total, group, least_scale = total + joined, None, scale
    return total + (group or 0), end


def _joined(group: int | None, before: str, value: int | None, language: str) -> int | None:
    """The number that `group` and the small number after it form together; None if they do not form one."""
    if group is None or value is None:
        return value
    rest = group % 100
    french = language == "fr"
    if french and (before, value) == ("quatre", 20):
        return group + 76
    fits = (
        (rest == 0 and group > 0)
        or (value in _ONES and rest in _TENS)
        or (french and value in range(7, 10) and rest == _TEN)
        or (french and value in _TEENS and rest in {60, 80})
    )
    return group + value if fits else None


def _multiplied(group: int | None, scale: int, least_scale: int, *, vague: bool) -> int | None:
    """`group` times `scale`; None if that is not a number, as in "two million million" or "hundreds of people"."""
    if scale >= least_scale or (group is None and vague):
        return None
    if scale == _HUNDRED and group is not None and group not in range(1, 100):
        return None
    return (1 if group is None else group) * scale


def _bambara(words: list[str], start: int, _language: str) -> tuple[int, int]:
    """Like `_english_or_french` for Bambara numbers: terms of falling size, joined by *ni*."""
    return _bambara_sum(words, start, 10**12)


def _bambara_sum(words: list[str], start: int, limit: int) -> tuple[int, int]:
    """Add up the terms from word `start` on, the first of them below `limit`."""
    total, end = 0, start
    place = start
    while True:
        value, after, limit = _bambara_term(words, place, limit)
        if after == place:
            return total, end
        total, end = total + value, after
        if after >= len(words) or words[after] not in {"ni", "ani"}:
            return total, end
        place = after + 1


def _bambara_term(words: list[str], place: int, limit: int) -> tuple[int, int, int]:
    """Value of the term at word `place`, the index after it, and the limit for the next term."""
    word = words[place] if place < len(words) else _BREAK
    scale = _SCALES["bm"].get(word)
    if scale is not None and scale < limit:
        factor, after = _bambara_sum(words, place + 1, _TEN if scale == _HUNDRED else min(scale, 1000))
        if after > place + 1:
            return factor * scale, after, scale
        if word not in _BARE:
            return scale, place + 1, scale
    if word == "bi" and place + 1 < len(words):
        tens = 10 * _BAMBARA_UNITS.get(words[place + 1], 0)
        if tens in range(30, min(limit, 100)):
            return tens, place + 2, 10
    value = _BAMBARA.get(word)
    if value is None or value >= limit:
        return 0, place, limit
    return value, place + 1, next(size for size in (100, 10, 1) if value % size == 0)
