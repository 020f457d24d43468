"""The languages of the product: codes, names, and the tags that the world writes for them.

It knows no model's own language codes.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its BCP-47 code, with its names.

    Attributes:
        code: The shortest code, of ISO 639-1.
        other_codes: Those of ISO 639-2 and 639-3.
        french_name, native_name: Its names in French and in itself.
        other_names: What it is called besides, in lower case.
    """

    code: str
    english_name: str
    french_name: str
    native_name: str
    other_codes: tuple[str, ...]
    other_names: tuple[str, ...] = ()


LANGUAGES = {
    language.code: language
    for language in (
        Language("bm", "Bambara", "bambara", "bamanankan", ("bam",), ("bamanakan", "bamana")),
        Language("en", "English", "anglais", "English", ("eng",)),
        Language("fr", "French", "français", "français", ("fra", "fre"), ("francais",)),
    )
}
UNDETERMINED = "und"

# All three are served in Latin letters. Of other scripts these are named, as people who write Bambara ask for them.
_SCRIPTS = {"nkoo": "N'Ko", "arab": "Arabic"}
_NKO_LANGUAGE = "nqo"
_TAG = re.compile(r"(?P<code>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-[a-z0-9]{1,8})*")
_CODES = {code: language.code for language in LANGUAGES.values() for code in (language.code, *language.other_codes)}
_NAMES = {
    name.casefold(): language.code
    for language in LANGUAGES.values()
    for name in (language.english_name, language.french_name, language.native_name, *language.other_names)
}


def known_code(tag: str) -> str | None:
    """The code of a language that is served, from any tag or name of it.

    `fr-ML`, `FR`, `fr_ML`, `fra`, `fra_Latn`, `French` and `français` are `fr`. None if it is not known, or is asked
    for in a script that is not served.
    """
    text = unicodedata.normalize("NFC", tag).strip().casefold()
    if text in _NAMES:
        return _NAMES[text]
    found = _TAG.fullmatch(text.replace("_", "-"))
    return _CODES.get(found["code"]) if found and found["script"] in {None, "latn"} else None


def other_script(tag: str) -> str | None:
    """The name of the script in which `tag` asks for a language that is served in Latin letters; None if in no other.

    `bm-Nkoo` and `nqo` ask for N'Ko.
    """
    found = _TAG.fullmatch(tag.strip().casefold().replace("_", "-"))
    if not found:
        return None
    script = "nkoo" if found["code"] == _NKO_LANGUAGE else found["script"]
    if script in {None, "latn"} or found["code"] not in {*_CODES, _NKO_LANGUAGE}:
        return None
    return _SCRIPTS.get(script, script.title())
