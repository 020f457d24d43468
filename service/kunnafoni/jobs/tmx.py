"""Results as a translation memory: TMX 1.4, one unit a translated sentence, for computer-aided translation.

Written unit by unit: a memory of any size takes none here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TextIO

from kunnafoni.errors import InvalidInputError
from kunnafoni.jobs.formats import by_language
from kunnafoni.v1.result_pb2 import FINISH_REASON_COPIED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kunnafoni.v1.job_pb2 import JobResult
    from kunnafoni.v1.translation_pb2 import Translation

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
            for source_text, target_text in _sentences(result.item.text, translation):
                store = self._new_store()
                source, made = NOT_XML.sub("", source_text), NOT_XML.sub("", target_text)
                store.addtranslation(source, translation.source_language_code, made, target, comment=result.id)
                body = self._xml(store).partition("<body>")[2].partition("</body>")[0]
                self._file.write(body.strip() + "\n")

    def end(self) -> None:
        """See Writer."""
        self._file.write(self._tail)

    @staticmethod
    def _xml(store: Any) -> str:
        return bytes(store).decode()


def _sentences(content: str, translation: Translation) -> Iterator[tuple[str, str]]:
    for segment in translation.segments:
        if segment.finish_reason != FINISH_REASON_COPIED:
            source, target = segment.source_span, segment.target_span
            yield content[source.start : source.end], translation.text[target.start : target.end]
