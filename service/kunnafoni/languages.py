"""The languages of the product: codes and names. It knows no model's own language codes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its BCP-47 code, with its name in English and in itself."""

    code: str
    english_name: str
    native_name: str


LANGUAGES = {
    language.code: language
    for language in (
        Language("bm", "Bambara", "bamanankan"),
        Language("en", "English", "English"),
        Language("fr", "French", "français"),
    )
}
UNDETERMINED = "und"


def known_code(tag: str) -> str | None:
    """Reduce a BCP-47 tag to a known language code: `fr-ML`, `FR` and `fr_ML` are `fr`; None if it is not known."""
    code = tag.strip().replace("_", "-").split("-", 1)[0].lower()
    return code if code in LANGUAGES else None
