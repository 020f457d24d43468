"""Reads the files of a model and checks each against the size and sha256 of its catalog entry.

A file is read once: the digest is taken of the very bytes that are returned, so that what runs is what was checked. If
    a
runtime reads a file itself, as it should with large ones, the file is checked before. This module does not know what
the files mean.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kunnafoni_models.backend import ModelFileError

if TYPE_CHECKING:
    from kunnafoni_models.catalog.entry import CatalogEntry, ModelFile

EMBEDDED = Path(__file__).parents[1] / "embedded"
"""Where the embedded model's files are, if the distribution that has them is installed or this is a checkout."""

# Hashing releases the interpreter lock, and a disk serves several readers well.
_READERS = 4
_BUFFER_BYTES = 1 << 20


def file_names(entry: CatalogEntry) -> tuple[str, ...]:
    """Names of the entry's files with their parts joined, each once, in the order of the entry."""
    return tuple(dict.fromkeys(file.part_of or file.name for file in entry.files))


def read_file(entry: CatalogEntry, name: str) -> bytearray:
    """Read and check the file `name`; if it comes in parts, all of them, joined.

    Raises:
        ModelFileError: The entry lists no such file, or a part is missing, short, long or corrupt.
    """
    parts = [file for file in entry.files if (file.part_of or file.name) == name]
    if not parts:
        raise ModelFileError(f"the catalog entry {entry.id} lists no file {name}: add it under [[files]]")
    content = bytearray(sum(part.bytes for part in parts))
    targets: list[memoryview] = []
    start = 0
    for part in parts:
        targets.append(memoryview(content)[start : start + part.bytes])
        start += part.bytes
    with ThreadPoolExecutor(_READERS) as readers:
        list(readers.map(partial(_read, entry.folder), parts, targets))
    return content


def file_problems(entry: CatalogEntry) -> list[ModelFileError]:
    """Check every file of `entry` and return one error per bad file; an empty list means that all are right."""
    with ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(partial(_problem, entry.folder), entry.files)
        return [problem for problem in found if problem]


def _problem(folder: Path, file: ModelFile) -> ModelFileError | None:
    try:
        _read(folder, file)
    except ModelFileError as error:
        return error
    return None


def _read(folder: Path, file: ModelFile, target: memoryview | None = None) -> None:
    """Read a file into `target` and check it; None checks it only, with a small buffer."""
    path = folder / file.name
    remedy = "copy the file again from where the model came from"
    buffer = memoryview(bytearray(min(file.bytes, _BUFFER_BYTES) if target is None else 0))
    digest, read = hashlib.sha256(), 0
    try:
        with path.open("rb", buffering=0) as stream:
            while read < file.bytes:
                unread = buffer[: file.bytes - read] if target is None else target[read:]
                if not (count := stream.readinto(unread)):
                    break
                digest.update(unread[:count])
                read += count
            longer = bool(stream.read(1))
    except FileNotFoundError as error:
        remedy = "pip install 'kunnafoni[embedded]'" if folder == EMBEDDED else remedy
        raise ModelFileError(f"{path} is missing: {remedy}") from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror}): solve that, or {remedy}") from error
    if read < file.bytes or longer:
        size = path.stat().st_size
        raise ModelFileError(f"{path} has {size} bytes and should have {file.bytes}: {remedy}")
    if digest.hexdigest() != file.sha256:
        raise ModelFileError(f"{path} is corrupt (sha256 {digest.hexdigest()}, should be {file.sha256}): {remedy}")
