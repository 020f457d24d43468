"""Normalises spelling: of the input of the model, and of the letters of Bambara in its output.

The functions do not keep offsets: use their results as new texts, never with spans of the old ones. They do not know
dialects or the spelling of words.

The rules for letters rest on 14,000 lines of Bambara web text (*lid*, `corpora/lid/bm.txt`), the 61,010 Bambara targets
that the embedded model was trained on (*mix*) and the 931 lines of FLORES-200 dev that are Bambara (*dev*):

- Capital `Ɛ Ɔ` inside words, as in `sƐgƐ` and `SƐbƐn`, become small: in all 163 such words of dev they stand for small
  letters.
- `ɳ` (U+0273: 108 in lid, 183 in mix) and `ꞃ` (U+A783: 80 and 150) become `ɲ`, as in `ɳɔgɔn` and `ꞃini`: with `ɲ`, 70
  and 58 of those in lid are words that lid has elsewhere; with `ŋ`, 7 and 18.
- Greek `ε` (28 in mix) and the other lookalikes (none there; from French keyboards and old fonts) become Bambara
  letters in words that also have a Latin letter, so that Greek and Ukrainian words stay.
- The old letters `è ò ô` and `ny` stay in the output of models. The training targets have none, and in standard text
  they belong to names: in the 173 lines of lid that mix both, *Grèce, Athènes, Grèque* are as frequent as old
  spellings; *ny* is also n + y.
"""

from __future__ import annotations

import re
import unicodedata

_REMOVED = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_TYPEWRITER = str.maketrans("’‘ʼ“”„–", "'''\"\"\"-")
# Ligatures, full width and mathematical letters are other forms of letters that models know; ² ½ º are not.
_COMPATIBILITY = re.compile("[\ufb00-\ufb06\uff01-\uff5e\U0001d400-\U0001d7ff]+")


def normalise_input(text: str) -> str:
    """Normalise `text` for the model: NFC, one space per run of white space and controls, plain quotation marks.

    Line breaks inside a segment become spaces, and both ends are trimmed. Soft hyphens, zero-width spaces and direction
    marks are removed. Ligatures, full width and mathematical letters become plain letters.

    Curly quotation marks, apostrophes and en dashes become those of a typewriter: of the French lines that the embedded
    model learnt Bambara from, 26,196 have `'` and 87 have `’`. On the first 100 lines of FLORES-200 dev this raises the
    chrF++ of the lines that have such marks from 17.6 to 21.1 (fr-bm, 17 lines), from 50.0 to 50.5 (fr-en, 20) and from
    34.8 to 36.6 (en-fr, 2). A second application changes nothing.
    """
    plain = _SPACE.sub(" ", _REMOVED.sub("", text)).strip(" ").translate(_TYPEWRITER)
    plain = _COMPATIBILITY.sub(lambda found: unicodedata.normalize("NFKC", found[0]), plain)
    return unicodedata.normalize("NFC", plain)


_TONE_MARKS = re.compile("[\u0300\u0301\u0302\u030c]")
# Never used in French and English: a tone mark on ɛ, ɔ, a nasal, i or u; an acute on a.
_TONED = re.compile("[ɛɔƐƆɲŋnm][\u0300\u0301\u0302\u030c]|[aiuAIU][\u0301\u030c]|[iI]\u0300")
_TONED_SHARE = 0.1
_OLD_LETTERS = str.maketrans("èòÈÒ", "ɛɔƐƆ")
_OLD_NY = re.compile("[nN][yY](?=[aeiouɛɔAEIOUƐƆ])")
_OLD_LETTER = re.compile("[òÒ]")


def modern_bambara(text: str) -> str:
    """Write a Bambara text without tone marks and in today's letters, as models learnt it; other text stays unchanged.

    Tone marks are removed if at least one word in ten has one that French and English do not use, so that *Sékou* and
    *Ségou* stay. If a text has ò but neither ɛ nor ɔ, the spelling of before 1982 becomes today's: è ò ny are ɛ ɔ ɲ.
    The embedded model's chrF++ from Bambara to French is 13.8 with tone marks and 27.4 without.
    """
    apart = unicodedata.normalize("NFD", text)
    toned = len(_TONED.findall(apart))
    if toned and toned >= _TONED_SHARE * len(text.split()):
        return unicodedata.normalize("NFC", _TONE_MARKS.sub("", apart))
    composed = unicodedata.normalize("NFC", apart)
    if _OLD_LETTER.search(composed) and not re.search("[ɛɔƐƆ]", composed):
        return _OLD_NY.sub(lambda found: "Ɲ" if found[0].isupper() else "ɲ", composed.translate(_OLD_LETTERS))
    return text


_LOOKALIKES = str.maketrans("ԑєεϵᴐↄͻɳꞃԐЄↃϽ", "ɛɛɛɛɔɔɔɲɲƐƐƆƆ")
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile("[A-Za-zÀ-ÖØ-öø-ÿɛɔɲŋƐƆƝŊ]")
_SMALL = "a-zà-öø-ÿɛɔɲŋ"
_CAPITAL_WITHIN = re.compile(f"(?<=[{_SMALL}])[ƐƆƝŊ]+|(?<=^[A-ZÀ-ÖØ-ÞƐƆƝŊ])[ƐƆƝŊ]+(?=[{_SMALL}])")


def standardise_bambara(text: str) -> str:
    """Write the letters ɛ ɔ ɲ ŋ of a Bambara text in their standard form, NFC.

    Lookalikes from other alphabets become these letters in words that have a Latin letter. Capital Ɛ Ɔ Ɲ Ŋ become small
    after a small letter, or between a first capital and a small letter. Words in capitals (`MƆGƆW`) stay. A second
    application changes nothing. Apart from NFC, each code point stays one code point.
    """
    return _WORD.sub(_standard_word, unicodedata.normalize("NFC", text))


def _standard_word(found: re.Match[str]) -> str:
    word = found[0]
    if not _LATIN.search(word):
        return word
    return _CAPITAL_WITHIN.sub(lambda capitals: capitals[0].lower(), word.translate(_LOOKALIKES))
