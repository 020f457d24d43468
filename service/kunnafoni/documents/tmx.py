"""Results as a translation memory: TMX 1.4, one unit per translated sentence, for computer-aided translation.

The warnings about a sentence are properties of its unit, so that whoever trains on a memory can leave it out. Units are
written one by one: however large a memory is, it is never held here as a whole.

The standard library is enough for writing, so that a client needs no further package for it. Memories are read by
`kunnafoni_models.training.memory_tmx`, with lxml: they come from anywhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TextIO
from xml.sax.saxutils import escape, quoteattr

import kunnafoni
from kunnafoni.documents.values import TranslatedText
from kunnafoni.errors import InvalidInputError

if TYPE_CHECKING:
    from kunnafoni.documents.values import OutputRecord

WARNING_PROPERTY = "x-kunnafoni-warning"
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

# Each unit names its own source language, hence the header names no single one.
_HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4">
<header creationtool="Kunnafoni" creationtoolversion="{kunnafoni.__version__}" segtype="sentence" o-tmf="UTF-8"\
 adminlang="en" srclang="*all*" datatype="PlainText"/>
<body>
"""
_TAIL = "</body>\n</tmx>\n"


class TmxWriter:
    """Writes what was translated; sentences that were copied, and failed items, are no memory."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        file.write(_HEAD)

    def write(self, record: OutputRecord) -> None:
        """See Writer.

        Raises:
            InvalidInputError: the results are editions.
        """
        for result in record.results:
            if not isinstance(result, TranslatedText):
                raise InvalidInputError("format", "is tmx, which holds translations; these are editions")
            for sentence in result.sentences:
                warnings = (
                    f'  <prop type="{WARNING_PROPERTY}">{_escaped(each)}</prop>\n' for each in sentence.warnings
                )
                self._file.write(
                    f"<tu srclang={quoteattr(result.source_language)}>\n"
                    f"  <note>{_escaped(record.item.id)}</note>\n"
                    f"{''.join(warnings)}"
                    f"{_variant(result.source_language, sentence.source)}"
                    f"{_variant(result.language, sentence.target)}"
                    "</tu>\n"
                )

    def end(self) -> None:
        """See Writer."""
        self._file.write(_TAIL)


def _variant(language: str, text: str) -> str:
    return f"  <tuv xml:lang={quoteattr(language)}><seg>{_escaped(text)}</seg></tuv>\n"


def _escaped(text: str) -> str:
    """`text` as XML content, without what no XML file can hold. A reader would take a bare CR for a line break."""
    return escape(NOT_XML.sub("", text), {"\r": "&#13;"})
