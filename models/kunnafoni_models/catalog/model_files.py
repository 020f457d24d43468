"""The files of a model, each checked against the size and sha256 that its catalog entry gives.

What is read here is read once: the digest is taken from the bytes that are given out, so that what was checked is what
runs. A runtime that reads a file itself, as is right for large ones, has it checked before. It knows nothing of what
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

# Hashing releases the interpreter lock, and a disk serves more than one reader well.
_READERS = 4
_PIECE_BYTES = 1 << 20


def file_names(entry: CatalogEntry) -> tuple[str, ...]:
    """Names of the entry's files after its parts are joined, each once, in the order of the entry."""
    return tuple(dict.fromkeys(file.part_of or file.name for file in entry.files))


def read_file(entry: CatalogEntry, name: str) -> bytearray:
    """Read and check the file `name`, or all parts of it, joined.

    Raises:
        ModelFileError: The entry lists no such file, or a part is missing, short, long or corrupt.
    """
    parts = [file for file in entry.files if (file.part_of or file.name) == name]
    if not parts:
        raise ModelFileError(f"the catalog entry {entry.id} lists no file {name}: add it under [[files]]")
    content = bytearray(sum(part.bytes for part in parts))
    rooms: list[memoryview] = []
    start = 0
    for part in parts:
        rooms.append(memoryview(content)[start : start + part.bytes])
        start += part.bytes
    with ThreadPoolExecutor(_READERS) as readers:
        list(readers.map(partial(_read, entry.folder), parts, rooms))
    return content


def file_problems(entry: CatalogEntry) -> list[ModelFileError]:
    """Check every file of `entry` and say what is wrong with each bad one; an empty list means that all are right."""
    with ThreadPoolExecutor(_READERS) as readers:
        found = readers.map(partial(_problem, entry.folder), entry.files)
        return [problem for problem in found if problem]


def _problem(folder: Path, file: ModelFile) -> ModelFileError | None:
    try:
        _read(folder, file)
    except ModelFileError as error:
        return error
    return None


def _read(folder: Path, file: ModelFile, room: memoryview | None = None) -> None:
    """Read a file into `room`, or piece by piece over one small room if its content is not wanted, and check it."""
    path = folder / file.name
    remedy = "copy the file again from where the model came from"
    piece = memoryview(bytearray(min(file.bytes, _PIECE_BYTES) if room is None else 0))
    digest, read = hashlib.sha256(), 0
    try:
        with path.open("rb", buffering=0) as stream:
            while read < file.bytes:
                target = piece[: file.bytes - read] if room is None else room[read:]
                if not (count := stream.readinto(target)):
                    break
                digest.update(target[:count])
                read += count
            longer = bool(stream.read(1))
    except FileNotFoundError as error:
        remedy = "pip install 'kunnafoni[embedded]'" if folder == EMBEDDED else remedy
        raise ModelFileError(f"{path} is missing: {remedy}") from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror}): mend that, or {remedy}") from error
    if read < file.bytes or longer:
        size = path.stat().st_size
        raise ModelFileError(f"{path} has {size} bytes and should have {file.bytes}: {remedy}")
    if digest.hexdigest() != file.sha256:
        raise ModelFileError(f"{path} is corrupt (sha256 {digest.hexdigest()}, should be {file.sha256}): {remedy}")
