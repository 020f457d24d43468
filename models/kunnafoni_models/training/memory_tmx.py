"""Units out of a TMX memory, one after the other, so that a memory of any size takes little here.

It knows TMX 1.1 to 1.4, plain text and language tags; it does not know which pair is wanted. Entities and external
definitions are not followed: a memory comes from anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from kunnafoni_models.extras import needs_extra
from kunnafoni_models.training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path
    from typing import BinaryIO

# Marks of the tool that wrote a memory, between the words of a segment; what they enclose is no text.
_INLINE_CODES = {"bpt", "ept", "ph", "it", "ut"}
_LONG_CODES = {"eng": "en", "fra": "fr", "fre": "fr", "bam": "bm"}  # ISO 639-2, as some tools write
_XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def units(stream: BinaryIO, path: Path, languages: Collection[str] | None) -> Iterator[dict[str, str]]:
    """The first variant of each unit in each language, by language code.

    Variants without text are left out, and those with an entity of the file's own, whose text nobody knows.

    Args:
        stream: The content of the memory.
        path: Its name, for messages.
        languages: Codes that are wanted, see `code_of`; None for all, by their own tags.

    Raises:
        TrainingError: It is no XML.
    """
    with needs_extra("train", "reading TMX"):
        library = cast("Any", import_module("lxml.etree"))  # it has no types
    safe = {"resolve_entities": False, "no_network": True, "load_dtd": False}
    try:
        for _, unit in library.iterparse(stream, events=("end",), tag=("tu", "{*}tu"), **safe):
            found: dict[str, str] = {}
            for variant in unit.iterchildren("tuv", "{*}tuv"):
                tag = str(variant.get(_XML_LANGUAGE) or variant.get("lang") or "")
                code = tag if languages is None else code_of(tag, languages)
                segment = next(variant.iterchildren("seg", "{*}seg"), None)
                whole = segment is not None and not any(part.tag is library.Entity for part in segment.iter())
                text = clean("".join(_text(segment))) if whole else ""
                if code and text:
                    found.setdefault(code, text)
            yield found
            unit.clear()
            while unit.getprevious() is not None:
                del unit.getparent()[0]
    except library.XMLSyntaxError as error:
        raise TrainingError(f"{path} is no TMX: {error}") from error


def code_of(tag: str, languages: Collection[str]) -> str:
    """The code in `languages` that `tag` stands for (`FR`, `fr-ML`, `fr_FR`, `fra` are `fr`); empty if none."""
    code = re.split("[-_]", tag.strip().lower(), maxsplit=1)[0]
    code = _LONG_CODES.get(code, code)
    return code if code in languages else ""


def clean(text: str) -> str:
    """`text` in NFC, on one line, with one space for each run of white space and none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _text(element: Any) -> Iterator[str]:
    if isinstance(element.tag, str) and element.tag.rpartition("}")[2] not in _INLINE_CODES:
        yield element.text or ""
        for child in element:
            yield from _text(child)
            yield child.tail or ""
