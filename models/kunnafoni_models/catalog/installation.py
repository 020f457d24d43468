"""Installs a new model into the user's catalog: first its folder of files, then its entry file.

A half-installed model is never visible: the folder is made in a hidden place on the same disk and then renamed. This
module knows files and entries, not where they come from.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from kunnafoni_models.backend import CatalogError
from kunnafoni_models.catalog.entry import ModelFile
from kunnafoni_models.catalog.entry_reader import read_entry
from kunnafoni_models.catalog.entry_writer import write_entry

if TYPE_CHECKING:
    from pathlib import Path

    from kunnafoni_models.catalog.entry import CatalogEntry

# An id must not end in `.figures`: its entry file would be taken for a file of figures.
_ID = re.compile(r"[a-z0-9][a-z0-9._-]*(?<!\.figures)")


def check_name(models_dir: Path, model_id: str) -> None:
    """Check that a new model can have this id.

    Raises:
        CatalogError: The id is malformed, or something in `models_dir` has this name already.
    """
    if not _ID.fullmatch(model_id):
        raise CatalogError(f"{model_id!r} is no name for a model: use lower-case letters, digits, '.', '-' and '_'")
    for taken in (models_dir / f"{model_id}.toml", models_dir / model_id):
        if taken.exists():
            raise CatalogError(f"{taken} exists: take another name with --as, or remove it first")


def describe_file(path: Path) -> ModelFile:
    """Size and digest of the file at `path`."""
    with path.open("rb") as stream:
        return ModelFile(path.name, path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())


def install(entry: CatalogEntry, models_dir: Path) -> CatalogEntry:
    """Move the entry's folder to its place in `models_dir` and write the entry file.

    Args:
        entry: Its folder is on the same disk as `models_dir`.
        models_dir: The user's catalog.

    Returns:
        The entry with its new folder.

    Raises:
        CatalogError: The written entry could not be read again, nor the catalog as a whole.
        OSError: The folder cannot be moved, or the entry cannot be written; nothing remains of either.
    """
    draft = entry.folder.with_name(f"{entry.folder.name}.toml")
    try:
        write_entry(draft, entry)
        read_entry(draft)
    finally:
        draft.unlink(missing_ok=True)
    folder = models_dir / entry.id
    entry.folder.rename(folder)
    installed = replace(entry, folder=folder)
    try:
        write_entry(models_dir / f"{entry.id}.toml", installed)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return installed
