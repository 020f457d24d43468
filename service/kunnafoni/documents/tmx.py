"""Results as a translation memory: TMX 1.4, one unit a translated sentence, for computer-aided translation.

What looks wrong with a sentence is a property of its unit, so that whoever learns from a memory can leave it out.

Written unit by unit: a memory of any size takes none here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TextIO

from kunnafoni.documents.result_formats import by_language, names_of
from kunnafoni.errors import InvalidInputError
from kunnafoni.v1.result_pb2 import FINISH_REASON_COPIED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kunnafoni.v1.job_pb2 import JobResult
    from kunnafoni.v1.translation_pb2 import Translation

WARNING_PROPERTY = "x-kunnafoni-warning"
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class TmxWriter:
    """Writes what was translated; sentences that were copied, and failed items, are no memory."""

    def __init__(self, file: TextIO, targets: Sequence[str]) -> None:
        # Imported here: only who asks for TMX waits for it.
        from translate.storage import tmx  # noqa: PLC0415

        self._new_store: Any = tmx.tmxfile
        self._file = file
        self._targets = targets
        head, _, self._tail = self._xml(self._new_store()).partition("<body/>")
        self._tail = "</body>" + self._tail
        file.write(head + "<body>\n")

    def write(self, result: JobResult) -> None:
        """See Writer.

        Raises:
            InvalidInputError: the results are editions.
        """
        if result.editions:
            raise InvalidInputError("format", "is tmx, which holds translations; these are editions")
        for target, translation in by_language(result, self._targets):
            for source_text, target_text, warnings in _sentences(result.item.text, translation):
                store = self._new_store()
                source, made = NOT_XML.sub("", source_text), NOT_XML.sub("", target_text)
                store.addtranslation(source, translation.source_language_code, made, target, comment=result.id)
                for name in warnings:
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


def _sentences(content: str, translation: Translation) -> Iterator[tuple[str, str, list[str]]]:
    """Source, translation and names of the warnings of each sentence that was translated."""
    for segment in translation.segments:
        if segment.finish_reason != FINISH_REASON_COPIED:
            source, target = segment.source_span, segment.target_span
            texts = content[source.start : source.end], translation.text[target.start : target.end]
            yield *texts, names_of(segment.warnings)
