"""Results as JSON lines, table rows or lines of text. It knows the messages of results, not where files lie."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs]
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status

from kunnafoni.errors import InvalidInputError
from kunnafoni.v1.result_pb2 import WarningType
from kunnafoni.v1.summarization_pb2 import Edition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kunnafoni.v1.job_pb2 import JobResult
    from kunnafoni.v1.result_pb2 import Warning as WarningMessage
    from kunnafoni.v1.summarization_pb2 import EditionWarning
    from kunnafoni.v1.translation_pb2 import Translation


class Writer(Protocol):
    """Writes results one after the other, those of failed items too, each in its way."""

    def write(self, result: JobResult) -> None:
        """Write a result, which comes with its item."""
        ...

    def end(self) -> None:
        """Write what follows the last one."""
        ...


class JsonlWriter:
    """An object a line, none for a failed item: texts and warnings by language, or the whole message if `full`."""

    def __init__(self, file: TextIO, targets: Sequence[str], *, full: bool) -> None:
        self._file = file
        self._targets = targets
        self._full = full

    def write(self, result: JobResult) -> None:
        """See Writer."""
        if not result.HasField("error"):
            record = MessageToDict(result) if self._full else _compact(result, self._targets)
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def end(self) -> None:
        """See Writer."""


class CsvWriter:
    """A row an item, none for a failed one: id, source (of an article its headline first), and some for each language.

    An item with another language than the job's has no place here and ends the writing with an InvalidInputError.
    """

    def __init__(self, file: TextIO, targets: Sequence[str]) -> None:
        self._rows = csv.writer(file)
        self._targets = targets
        self._parts: tuple[str, ...] = ()

    def write(self, result: JobResult) -> None:
        """See Writer."""
        if result.HasField("error"):
            return
        if not self._parts:
            self._parts = ("headline", "summary", "key_points") if result.editions else ("text",)
            columns = [f"{part}_{target}" for target in self._targets for part in (*self._parts, "warnings")]
            source = ("source_headline", "source") if result.editions else ("source",)
            self._rows.writerow(["id", *source, *columns])
        article = result.item.article
        row = [result.id, *((article.headline, article.body) if result.editions else (result.item.text,))]
        found = dict(by_language(result, self._targets))
        if others := ", ".join(found.keys() - self._targets):
            raise InvalidInputError(result.id, f"has a language of its own, {others}: write JSON lines instead")
        for target in self._targets:
            made = found.get(target)
            row += [_cell(made, part) for part in self._parts]
            row.append(" ".join(warning_names(made)) if made else "")
        self._rows.writerow(row)

    def end(self) -> None:
        """See Writer."""


class TextWriter:
    """A file for each language, a line an item, so that the files stay parallel: a failed item leaves an empty line.

    A text of several lines is followed by an empty line.
    """

    def __init__(self, open_output: Callable[[str], TextIO], targets: Sequence[str]) -> None:
        self._open = open_output
        self._targets = targets
        self._files = {target: open_output(target) for target in targets}
        self._items = 0

    def write(self, result: JobResult) -> None:
        """See Writer."""
        texts = {
            language: (made.summary if isinstance(made, Edition) else made.text).strip()
            for language, made in by_language(result, self._targets)
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


def _cell(made: Any, part: str) -> str:
    """A part of a translation or an edition, key points a line each; empty if there is none."""
    value = getattr(made, part, "")
    return value if isinstance(value, str) else "\n".join(point.text for point in value)


def by_language(result: JobResult, targets: Sequence[str]) -> Iterable[tuple[str, Any]]:
    """Translations or editions with their languages, which are the item's own or else the job's `targets`."""
    own = result.item.options.target_language_codes or targets
    return zip(own, result.editions or result.translations, strict=False)


def error_record(result: JobResult) -> dict[str, object]:
    """A failed item for the errors file: what it was, and why it failed."""
    status, info = Status(), error_details_pb2.ErrorInfo()
    result.error.Unpack(status)
    for detail in status.details:
        detail.Unpack(info)
    return {
        "id": result.id,
        "index": result.index,
        "code": Code.Name(status.code),
        "reason": info.reason,
        "message": status.message,
    }


def _compact(result: JobResult, targets: Sequence[str]) -> dict[str, object]:
    record: dict[str, object] = {"id": result.id}
    for language, made in by_language(result, targets):
        record[language] = made.text if result.translations else _edition(made)
        if warnings := warning_names(made):
            record[f"{language}_warnings"] = warnings
    return record


def _edition(edition: Edition) -> dict[str, object]:
    return {
        "headline": edition.headline,
        "summary": edition.summary,
        "key_points": [point.text for point in edition.key_points],
    }


def warning_names(made: Translation | Edition) -> list[str]:
    """Names of the warnings, each once, in the order in which they come first."""
    if isinstance(made, Edition):
        return names_of(made.warnings)
    return names_of(warning for segment in made.segments for warning in segment.warnings)


def names_of(found: Iterable[WarningMessage | EditionWarning]) -> list[str]:
    """Names of these warnings, each once, in their order."""
    return list(dict.fromkeys(WarningType.Name(warning.type).removeprefix("WARNING_TYPE_") for warning in found))
