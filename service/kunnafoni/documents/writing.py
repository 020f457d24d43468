"""Results to files: JSONL, CSV, TMX, text files by language. A file is there whole or not at all.

It knows values, not messages, and not where results come from.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

from kunnafoni.documents.result_formats import CsvWriter, JsonlWriter, TextWriter, error_record
from kunnafoni.documents.tmx import TmxWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from pathlib import Path

    from kunnafoni.documents.result_formats import Writer
    from kunnafoni.documents.values import OutputRecord


class OutputFormat(StrEnum):
    """How results are written."""

    JSONL = "jsonl"
    FULL = "full"
    CSV = "csv"
    TMX = "tmx"
    TEXT = "text"


SUFFIXES = {
    ".jsonl": OutputFormat.JSONL,
    ".ndjson": OutputFormat.JSONL,
    ".csv": OutputFormat.CSV,
    ".tmx": OutputFormat.TMX,
    ".txt": OutputFormat.TEXT,
}


@contextmanager
def whole_file(path: Path) -> Generator[TextIO]:
    """A file that takes the name `path`, and the place of what had it, when the context ends without an exception."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("x", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def output_path(path: Path, output_format: OutputFormat, language: str) -> Path:
    """The file for a language: `path` itself, or `name.fr.txt` and so on for text."""
    return path.with_suffix(f".{language}{path.suffix}") if output_format is OutputFormat.TEXT else path


def errors_path(path: Path) -> Path:
    """The file that errors go to, beside the results."""
    return path.with_name(f"{path.name}.errors.jsonl")


def write_results(
    records: Iterable[OutputRecord], path: Path | None, output_format: OutputFormat, targets: Sequence[str]
) -> tuple[int, int]:
    """Write the records of a job, those of failed items to the errors file.

    Args:
        records: One per item.
        path: The file; None is standard output, and standard error for the errors.
        output_format: How to write them; FULL needs records with `full`.
        targets: Languages of the job, in order.

    Raises:
        InvalidInputError: an item has a language that the table has no columns for; no file is there then.
        OSError: a file cannot be written; no file is there then.

    Returns:
        How many items had a result, and how many failed.
    """
    done = failed = 0
    with ExitStack() as stack:

        def open_output(language: str = "") -> TextIO:
            if path is None:
                return sys.stdout
            return stack.enter_context(whole_file(output_path(path, output_format, language)))

        def open_errors() -> TextIO:
            return stack.enter_context(whole_file(errors_path(path))) if path else sys.stderr

        writer = _writer(output_format, open_output, targets)
        errors: TextIO | None = None
        for record in records:
            writer.write(record)
            if not record.error:
                done += 1
                continue
            failed += 1
            if errors is None:
                errors = open_errors()
            errors.write(json.dumps(error_record(record), ensure_ascii=False) + "\n")
        writer.end()
    if path and not failed:
        errors_path(path).unlink(missing_ok=True)  # of an earlier try
    return done, failed


def _writer(output_format: OutputFormat, open_output: Callable[..., TextIO], targets: Sequence[str]) -> Writer:
    if output_format is OutputFormat.TEXT:
        return TextWriter(open_output, targets)
    if output_format is OutputFormat.TMX:
        return TmxWriter(open_output())
    if output_format is OutputFormat.CSV:
        return CsvWriter(open_output(), targets)
    return JsonlWriter(open_output(), full=output_format is OutputFormat.FULL)
