"""Files to the items of a job: JSONL, CSV, TSV, plain text by line or by file, folders of all these, standard input.

Nothing is read before it is asked for, nothing is kept. What is wrong becomes a `Problem` and the rest goes on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kunnafoni.jobs.lines import MAX_LINE_BYTES, Problem, open_input, read_lines
from kunnafoni.jobs.records import InputError, InputFormat, read_records
from kunnafoni.languages import known_code
from kunnafoni.v1 import job_pb2, summarization_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


MAX_ID_CODE_POINTS = 255
SUFFIXES = {
    ".jsonl": InputFormat.JSONL,
    ".ndjson": InputFormat.JSONL,
    ".csv": InputFormat.CSV,
    ".tsv": InputFormat.TSV,
    ".txt": InputFormat.LINES,
    ".md": InputFormat.FILE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Names of the fields (JSONL) or columns (CSV, TSV) that matter; all but the text or body may be absent."""

    id: str = "id"
    text: str = "text"
    headline: str = "headline"
    body: str = "body"
    language: str = "language"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads items.

    Attributes:
        kind: Texts to translate or articles to summarise.
        input_format: Of all files; None goes by the end of each name, and takes text files of folders whole.
        fields: Where the content stands in records.
        max_code_points: Longest content; longer ones are problems.
    """

    kind: job_pb2.JobKind.ValueType
    input_format: InputFormat | None = None
    fields: Fields = Fields()
    max_code_points: int = 200_000

    def read(self, paths: Sequence[Path]) -> Iterator[job_pb2.JobItem | Problem]:
        """The items of all files in order, each with an id: its own, else its line or file.

        Raises:
            InputError: a file's format is not known, or its table has no column with the content.
            OSError: a file cannot be read.
        """
        files = [(file, name, whole) for path in paths for file, name, whole in _files(path)]
        entries = (
            entry
            for file, name, whole in files
            for entry in self._read_file(file, name, whole=whole, alone=len(files) == 1)
        )
        return _unique(entries)

    def _read_file(
        self, path: Path, name: str, *, whole: bool, alone: bool
    ) -> Iterator[tuple[str, job_pb2.JobItem] | Problem]:
        chosen = self.input_format or (InputFormat.FILE if whole else SUFFIXES.get(path.suffix.lower()))
        if chosen is None:
            raise InputError(f"{name}: tell its format with --input-format ({', '.join(InputFormat)})")
        with open_input(path) as file:
            if chosen is InputFormat.FILE:
                yield self._whole(file.read(MAX_LINE_BYTES + 1), name)
                return
            for entry in read_records(read_lines(file, name), chosen, name, self._content_field):
                if isinstance(entry, Problem):
                    yield entry
                    continue
                number, record = entry
                yield self._item(
                    record, place=f"{name}:{number}", default_id=str(number) if alone else f"{name}:{number}"
                )

    @property
    def _content_field(self) -> str:
        return self.fields.text if self.kind == job_pb2.JOB_KIND_TRANSLATE else self.fields.body

    def _whole(self, data: bytes, name: str) -> tuple[str, job_pb2.JobItem] | Problem:
        if len(data) > MAX_LINE_BYTES:
            return Problem(name, f"is longer than {MAX_LINE_BYTES:,} bytes")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            return Problem(name, f"is not UTF-8 (byte {error.start + 1})")
        return self._item({self._content_field: text}, place=name, default_id=name)

    def _item(
        self, record: Mapping[str, object], *, place: str, default_id: str
    ) -> tuple[str, job_pb2.JobItem] | Problem:
        fields = self.fields
        names = (fields.id, self._content_field, fields.headline, fields.language)
        item_id, content, headline, language = (text_of(record.get(name)) for name in names)
        if content is None or headline is None or language is None or item_id is None:
            return Problem(place, "has a field that is no text")
        if not content.strip() and not headline.strip():
            return Problem(place, f"has no {self._content_field}")
        if len(content) + len(headline) > self.max_code_points:
            return Problem(place, f"is longer than {self.max_code_points:,} characters")
        if language and not known_code(language):
            return Problem(place, f"has a language that is not known: {language[:20]}")
        item = job_pb2.JobItem(id=item_id or default_id)
        if len(item.id) > MAX_ID_CODE_POINTS:
            return Problem(place, f"has an id longer than {MAX_ID_CODE_POINTS} characters")
        if self.kind == job_pb2.JOB_KIND_TRANSLATE:
            item.text = content
        else:
            item.article.CopyFrom(summarization_pb2.Article(headline=headline, body=content))
        if language:
            item.options.source_language_code = language
        return place, item


def text_of(value: object) -> str | None:
    """A field's value as text: absent is empty, a number its digits, anything else None."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can spell
        return None
    return value


def _files(path: Path) -> Iterator[tuple[Path, str, bool]]:
    """The files of a path: itself, or all of a folder by name; each with its name and whether it is one item."""
    if not path.is_dir():
        yield path, "-" if str(path) == "-" else path.name, False
        return
    for file in sorted(path.rglob("*")):
        if file.is_file() and file.suffix.lower() in SUFFIXES:
            whole = SUFFIXES[file.suffix.lower()] in (InputFormat.LINES, InputFormat.FILE)
            yield file, str(file.relative_to(path)), whole


def _unique(entries: Iterable[tuple[str, job_pb2.JobItem] | Problem]) -> Iterator[job_pb2.JobItem | Problem]:
    """Make a problem of every item whose id an earlier one has. Of each id 8 bytes are kept."""
    seen: set[bytes] = set()
    for entry in entries:
        if isinstance(entry, Problem):
            yield entry
            continue
        place, item = entry
        digest = hashlib.blake2b(item.id.encode(), digest_size=8).digest()
        if digest in seen:
            yield Problem(place, f"has the id of an earlier item: {item.id}")
            continue
        seen.add(digest)
        yield item
