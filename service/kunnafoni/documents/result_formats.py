"""Results as JSON lines, table rows or lines of text. It knows values, not messages, and not where files lie."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Protocol, TextIO

from kunnafoni.documents.values import EditionText, TranslatedText
from kunnafoni.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kunnafoni.documents.values import OutputRecord

TRANSLATION_PARTS, EDITION_PARTS = ("text",), ("headline", "summary", "key_points")


class Writer(Protocol):
    """Writes the records of a job one after the other, also those of failed items."""

    def write(self, record: OutputRecord) -> None:
        """Write a record."""
        ...

    def end(self) -> None:
        """Write what follows the last one."""
        ...


class JsonlWriter:
    """One object per line, none for a failed item: texts and warnings by language, or all that is known if `full`."""

    def __init__(self, file: TextIO, *, full: bool) -> None:
        self._file = file
        self._full = full

    def write(self, record: OutputRecord) -> None:
        """See Writer."""
        if not record.error:
            value = record.full if self._full else _compact(record)
            self._file.write(json.dumps(value, ensure_ascii=False) + "\n")

    def end(self) -> None:
        """See Writer."""


class CsvWriter:
    """One row per item, none for a failed one: id, source (of an article its headline first), cells of each language.

    An item with another language than the job's has no place here and ends the writing with an InvalidInputError.
    """

    def __init__(self, file: TextIO, targets: Sequence[str]) -> None:
        self._rows = csv.writer(file)
        self._targets = targets
        self._parts: tuple[str, ...] = ()

    def write(self, record: OutputRecord) -> None:
        """See Writer."""
        if record.error:
            return
        if not self._parts:
            self._parts = EDITION_PARTS if record.is_edition else TRANSLATION_PARTS
            columns = [f"{part}_{target}" for target in self._targets for part in (*self._parts, "warnings")]
            source = ("source_headline", "source") if record.is_edition else ("source",)
            self._rows.writerow(["id", *source, *columns])
        item = record.item
        row = [item.id, *((item.headline, item.text) if record.is_edition else (item.text,))]
        found = {each.language: each for each in record.results}
        if others := ", ".join(found.keys() - self._targets):
            raise InvalidInputError(item.id, f"has a language of its own, {others}: write JSON lines instead")
        for target in self._targets:
            result = found.get(target)
            row += [_cell(result, part) for part in self._parts]
            row.append(" ".join(result.warnings) if result else "")
        self._rows.writerow(row)

    def end(self) -> None:
        """See Writer."""


class TextWriter:
    """One file per language, one line per item, so that the files stay parallel: a failed item leaves an empty line.

    A text of several lines is followed by an empty line.
    """

    def __init__(self, open_output: Callable[[str], TextIO], targets: Sequence[str]) -> None:
        self._open = open_output
        self._files = {target: open_output(target) for target in targets}
        self._items = 0

    def write(self, record: OutputRecord) -> None:
        """See Writer."""
        texts = {
            each.language: (each.summary if isinstance(each, EditionText) else each.text).strip()
            for each in record.results
        }
        for language in texts.keys() - self._files.keys():  # an item may ask for languages of its own
            self._files[language] = self._open(language)
            self._files[language].write("\n" * self._items)
        self._items += 1
        for language, file in self._files.items():
            text = texts.get(language, "")
            file.write(text + ("\n\n" if "\n" in text else "\n"))

    def end(self) -> None:
        """See Writer."""


def error_record(record: OutputRecord) -> dict[str, object]:
    """A failed item for the errors file: what it was, and why it failed."""
    error = record.error
    reasons = {"code": error.code, "reason": error.reason, "message": error.message} if error else {}
    return {"id": record.item.id, "index": record.index, **reasons}


def _cell(result: TranslatedText | EditionText | None, part: str) -> str:
    """A part of a translation or an edition, one line per key point; empty if there is none."""
    value: str | tuple[str, ...] = getattr(result, part, "")
    return value if isinstance(value, str) else "\n".join(value)


def _compact(record: OutputRecord) -> dict[str, object]:
    compact: dict[str, object] = {"id": record.item.id}
    for result in record.results:
        compact[result.language] = result.text if isinstance(result, TranslatedText) else _edition(result)
        if result.warnings:
            compact[f"{result.language}_warnings"] = list(result.warnings)
    return compact


def _edition(edition: EditionText) -> dict[str, object]:
    return {"headline": edition.headline, "summary": edition.summary, "key_points": list(edition.key_points)}
