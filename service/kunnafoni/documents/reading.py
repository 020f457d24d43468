"""Files to items: JSONL, CSV, TSV, plain text by line or by file, folders of all these, standard input.

A whole file can be read as an article, with its headline and without its mark-up, or as a text just as it is. Nothing
is read before it is asked for, and nothing is kept. What cannot be read becomes a `Problem`, and the rest goes on.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kunnafoni.documents.articles import FORMS, article_of
from kunnafoni.documents.lines import (
    MAX_LINE_BYTES,
    UTF_16_MARKS,
    Problem,
    open_input,
    read_lines,
    utf_16_problem,
)
from kunnafoni.documents.records import InputError, InputFormat, read_records
from kunnafoni.documents.values import InputItem
from kunnafoni.languages import known_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    # Its place, the id that it gets if it has none, and the item.
    Found = tuple[str, str, InputItem]

MAX_ID_CODE_POINTS = 255
SUFFIXES = {
    ".jsonl": InputFormat.JSONL,
    ".ndjson": InputFormat.JSONL,
    ".csv": InputFormat.CSV,
    ".tsv": InputFormat.TSV,
    ".txt": InputFormat.LINES,
    ".md": InputFormat.FILE,
}
ARTICLE_SUFFIXES = {**SUFFIXES, **dict.fromkeys(FORMS, InputFormat.FILE)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Names of the fields (JSONL) or columns (CSV, TSV) that matter; all but the text or body may be absent."""

    id: str = "id"
    text: str = "text"
    headline: str = "headline"
    body: str = "body"
    language: str = "language"


@dataclass(frozen=True, slots=True)
class _File:
    """A file to read, its name in places and ids, and whether it was found in a folder."""

    path: Path
    name: str
    in_folder: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads items.

    Attributes:
        articles: Whether items are articles, which have headlines, or texts.
        input_format: Of all files; None decides by the ending of each name, and takes text files of folders whole.
        fields: Names of the fields with the content in records.
        max_code_points: Longest content; a longer one is a problem.
    """

    articles: bool = False
    input_format: InputFormat | None = None
    fields: Fields = Fields()
    max_code_points: int = 200_000

    def read(self, paths: Sequence[Path]) -> Iterator[InputItem | Problem]:
        """The items of all files in order, each with an id: its own, or else its line or file.

        Raises:
            InputError: the format of a file that was named is not known, or its table has no column with the content.
            OSError: a file cannot be read.
        """
        files = _files(paths)
        return _unique(entry for file in files for entry in self._read_file(file, alone=len(files) == 1))

    def _read_file(self, file: _File, *, alone: bool) -> Iterator[Found | Problem]:
        chosen, name = self._format(file), file.name
        if chosen is None:
            if not file.in_folder:
                raise InputError(name, f"say its format with --input-format ({', '.join(InputFormat)})")
            yield Problem(name, f"is none of {' '.join(self._suffixes)}")
            return
        with open_input(file.path) as lines:
            if chosen is InputFormat.FILE:
                yield self._whole(lines.read(MAX_LINE_BYTES + 1), file)
                return
            try:
                for entry in read_records(read_lines(lines, name), chosen, name, self._columns):
                    if isinstance(entry, Problem):
                        yield entry
                        continue
                    number, record = entry
                    place = f"{name}:{number}"
                    yield self._item(record, place=place, default_id=str(number) if alone else place)
            except InputError as error:  # of a table that nobody named: a folder may have others beside what is meant
                if not file.in_folder:
                    raise
                yield Problem(name, error.problem)

    def _format(self, file: _File) -> InputFormat | None:
        by_name = self._suffixes.get(file.path.suffix.lower())
        whole = file.in_folder and by_name is InputFormat.LINES
        return self.input_format or (InputFormat.FILE if whole else by_name)

    @property
    def _suffixes(self) -> Mapping[str, InputFormat]:
        return ARTICLE_SUFFIXES if self.articles else SUFFIXES

    @property
    def _content_field(self) -> str:
        return self.fields.body if self.articles else self.fields.text

    @property
    def _columns(self) -> list[str]:
        fields = self.fields
        more = [fields.headline] if self.articles else []
        return [self._content_field, fields.id, fields.language, *more]

    def _whole(self, data: bytes, file: _File) -> Found | Problem:
        name = file.name
        if len(data) > MAX_LINE_BYTES:
            return Problem(name, f"is longer than {MAX_LINE_BYTES:,} bytes")
        if data.startswith(UTF_16_MARKS):
            return utf_16_problem(name)
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            return Problem(name, f"is not UTF-8 (byte {error.start + 1})")
        record = {self._content_field: text}
        if self.articles:
            try:
                article = article_of(text, file.path)
            except InputError as error:
                return Problem(name, error.problem)
            record = {self.fields.headline: article.headline, self.fields.body: article.body}
        return self._item(record, place=name, default_id=name)

    def _item(self, record: Mapping[str, object], *, place: str, default_id: str) -> Found | Problem:
        fields = self.fields
        names = (fields.id, self._content_field, fields.language)
        item_id, content, language = (text_of(record.get(name)) for name in names)
        headline = text_of(record.get(fields.headline)) if self.articles else ""
        if content is None or headline is None or language is None or item_id is None:
            return Problem(place, "has a field that is no text")
        most = self.max_code_points
        checks = (
            ("\0" in item_id + content + headline, "has a NUL character"),
            (not content.strip() and not headline.strip(), f"has no {self._content_field}"),
            (len(content) + len(headline) > most, f"is longer than {most:,} characters"),
            (language and not known_code(language), f"has a language that is not known: {language[:20]}"),
            (len(item_id or default_id) > MAX_ID_CODE_POINTS, f"has an id longer than {MAX_ID_CODE_POINTS} characters"),
        )
        for wrong, message in checks:
            if wrong:
                return Problem(place, message)
        return place, default_id, InputItem(id=item_id, text=content, headline=headline, language=language)


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


def _files(paths: Sequence[Path]) -> list[_File]:
    """The files of all paths: themselves, or all of a folder by name but the hidden ones."""
    found: list[_File] = []
    for path in paths:
        if not path.is_dir():
            found.append(_File(path, "-" if str(path) == "-" else path.name))
            continue
        for file in sorted(path.rglob("*")):
            inside = file.relative_to(path)
            if file.is_file() and not any(part.startswith(".") for part in inside.parts):
                found.append(_File(file, str(inside), in_folder=True))
    names = Counter(file.name for file in found)
    # Of several files with one name, only the path says which is which.
    return [replace(file, name=str(file.path)) if names[file.name] > 1 else file for file in found]


def _unique(entries: Iterable[Found | Problem]) -> Iterator[InputItem | Problem]:
    """Give ids to items without one; make a problem of every item whose own id an earlier one has.

    8 bytes of memory are kept per id.
    """
    seen: set[bytes] = set()
    for entry in entries:
        if isinstance(entry, Problem):
            yield entry
            continue
        place, default_id, item = entry
        for item_id in [item.id] if item.id else [default_id, place[-MAX_ID_CODE_POINTS:]]:
            digest = hashlib.blake2b(item_id.encode(), digest_size=8).digest()
            if digest not in seen:
                seen.add(digest)
                yield replace(item, id=item_id)
                break
        else:
            yield Problem(place, f"has the id of an earlier item: {item.id or default_id}")
