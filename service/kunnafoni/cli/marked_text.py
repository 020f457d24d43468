"""A text cut at the words that warnings are about; what every way of showing an edition or a translation needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kunnafoni.v1.result_pb2 import WarningType
from kunnafoni.v1.summarization_pb2 import (
    SUMMARY_METHOD_EXTRACTIVE,
    SUMMARY_METHOD_GENERATED,
    SUMMARY_METHOD_TOO_SHORT,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kunnafoni.v1.result_pb2 import Span, Warning  # noqa: A004 - the wire's name
    from kunnafoni.v1.summarization_pb2 import Edition, EditionPart, KeyPoint
    from kunnafoni.v1.translation_pb2 import Segment


@dataclass(frozen=True, slots=True)
class Note:
    """A warning for people: its kind in words, its detail, and where it is; None: about the whole of the text.

    Attributes:
        missing: Words that the text lacks.
    """

    kind: str
    detail: str
    start: int | None = None
    end: int | None = None
    missing: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Kind and detail on one line."""
        return f"{self.kind}: {self.detail}" if self.detail else self.kind

    def words(self, text: str) -> tuple[str, ...]:
        """What it is about, each on one line: its words in `text`, or those that `text` lacks."""
        return self.missing if self.start is None else (" ".join(text[self.start : self.end].split()),)


def _note(kind: WarningType.ValueType, detail: str, span: Span | None) -> Note:
    """A note out of the parts of a warning."""
    words = WarningType.Name(kind).removeprefix("WARNING_TYPE_").replace("_", " ").lower()
    return Note(words, detail, span.start, span.end) if span else Note(words, detail)


def notes_of(edition: Edition, part: EditionPart.ValueType) -> list[Note]:
    """The notes about one part of an edition, in its order; one for all words that it lacks for the same reason."""
    notes: list[Note] = []
    for warning in edition.warnings:
        if warning.part != part:
            continue
        note = _note(warning.type, warning.detail, warning.span if warning.HasField("span") else None)
        last = notes[-1] if notes else None
        if warning.source_words and last and last.missing and last.label == note.label:
            notes[-1] = replace(last, missing=(*last.missing, warning.source_words))
        else:
            notes.append(replace(note, missing=(warning.source_words,) if warning.source_words else ()))
    return notes


def pieces(text: str, notes: Iterable[Note]) -> Iterator[tuple[str, Note | None]]:
    """`text` in pieces, each with the note that marks it; of notes that overlap only the first in the text marks."""
    at = 0
    for note in sorted((n for n in notes if n.start is not None), key=lambda n: (n.start or 0, n.end or 0)):
        start, end = note.start or 0, note.end or 0
        if start < at or end <= start:
            continue
        yield text[at:start], None
        yield text[start:end], note
        at = end
    yield text[at:], None


_METHODS = {
    SUMMARY_METHOD_GENERATED: "written by a model",
    SUMMARY_METHOD_EXTRACTIVE: "sentences of the article",
    SUMMARY_METHOD_TOO_SHORT: "the article itself",
}


def method_of(edition: Edition) -> str:
    """How its summary came about, in words."""
    return _METHODS[edition.summary_method]


def made_notes(translated: KeyPoint | Segment) -> list[Note]:
    """The notes about a translation, at their words in it; see `missed_notes` for the others."""
    return [
        _note(warning.type, warning.detail, warning.target_span if warning.HasField("target_span") else None)
        for warning in translated.warnings
        if not _is_missed(warning)
    ]


def missed_notes(translated: KeyPoint | Segment) -> list[Note]:
    """The notes about what a translation lacks, at the words of the original."""
    return [
        _note(warning.type, warning.detail, warning.source_span)
        for warning in translated.warnings
        if _is_missed(warning)
    ]


def _is_missed(warning: Warning) -> bool:
    return warning.HasField("source_span") and not warning.HasField("target_span")
