"""Results as a translation memory: TMX 1.4, one unit per translated sentence, for computer-aided translation.

The warnings about a sentence are properties of its unit, so that whoever trains on a memory can leave it out. Units are
written one by one: however large a memory is, it is never held here as a whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TextIO

from kunnafoni.documents.values import TranslatedText
from kunnafoni.errors import InvalidInputError

if TYPE_CHECKING:
    from kunnafoni.documents.values import OutputRecord

WARNING_PROPERTY = "x-kunnafoni-warning"
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class TmxWriter:
    """Writes what was translated; sentences that were copied, and failed items, are no memory."""

    def __init__(self, file: TextIO) -> None:
        # Imported here: only who asks for TMX waits for it.
        from translate.storage import tmx  # noqa: PLC0415

        self._new_store: Any = tmx.tmxfile
        self._file = file
        head, _, self._tail = self._xml(self._new_store()).partition("<body/>")
        self._tail = "</body>" + self._tail
        file.write(head + "<body>\n")

    def write(self, record: OutputRecord) -> None:
        """See Writer.

        Raises:
            InvalidInputError: the results are editions.
        """
        for result in record.results:
            if not isinstance(result, TranslatedText):
                raise InvalidInputError("format", "is tmx, which holds translations; these are editions")
            for sentence in result.sentences:
                store = self._new_store()
                source, made = NOT_XML.sub("", sentence.source), NOT_XML.sub("", sentence.target)
                store.addtranslation(source, result.source_language, made, result.language, comment=record.item.id)
                for name in sentence.warnings:
                    _add_property(store.units[-1].xmlelement, WARNING_PROPERTY, name)
                body = self._xml(store).partition("<body>")[2].partition("</body>")[0]
                self._file.write(body.strip() + "\n")

    def end(self) -> None:
        """See Writer."""
        self._file.write(self._tail)

    @staticmethod
    def _xml(store: Any) -> str:
        return bytes(store).decode()


def _add_property(unit: Any, kind: str, value: str) -> None:
    """Put a property where the definition of TMX wants it: after the notes, before the texts."""
    added = unit.makeelement("prop", {"type": kind})
    added.text = value
    unit.find("tuv").addprevious(added)
