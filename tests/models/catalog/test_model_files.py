from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kunnafoni_models import registry
from kunnafoni_models.backend import ModelFileError
from kunnafoni_models.catalog.model_files import file_problems, read_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kunnafoni_models.catalog.entry import CatalogEntry


def corrupt(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    replace_content(path, bytes(content))


def shorten(path: Path) -> None:
    replace_content(path, path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    replace_content(path, path.read_bytes() + b"\0")


def replace_content(link: Path, content: bytes) -> None:
    """The links lead to the real model: it must stay as it is."""
    link.unlink()
    link.write_bytes(content)


def remove(path: Path) -> None:
    path.unlink()


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.fixture
def linked(embedded_entry: CatalogEntry, tmp_path: Path) -> CatalogEntry:
    """The embedded model in a folder of its own, by links."""
    for file in embedded_entry.files:
        (tmp_path / file.name).symlink_to(embedded_entry.folder / file.name)
    return replace(embedded_entry, folder=tmp_path)


def last_shard(entry: CatalogEntry) -> str:
    return next(file.name for file in reversed(entry.files) if file.part_of)


def test_the_embedded_files_are_what_the_entry_says(embedded_entry: CatalogEntry) -> None:
    assert file_problems(embedded_entry) == []


DAMAGES = [(corrupt, "corrupt"), (shorten, "bytes and should have"), (lengthen, "bytes and should have"),
           (remove, "missing"), (make_folder, "cannot be read")]  # fmt: skip


@pytest.mark.parametrize(("damage", "told"), DAMAGES, ids=lambda value: getattr(value, "__name__", None))
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "a shard"])
def test_a_damaged_file_is_named_with_the_remedy(
    linked: CatalogEntry, name: str, damage: Callable[[Path], None], told: str
) -> None:
    name = last_shard(linked) if name == "a shard" else name
    damage(linked.folder / name)
    [problem] = file_problems(linked)
    assert str(linked.folder / name) in str(problem)
    assert told in str(problem)
    assert "copy the file again" in str(problem)


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "tokenizer.json", "a shard"])
def test_a_model_with_a_damaged_file_does_not_load(linked: CatalogEntry, name: str) -> None:
    name = last_shard(linked) if name == "a shard" else name
    corrupt(linked.folder / name)
    with pytest.raises(ModelFileError, match=re.escape(name)):
        registry.load(linked, threads=1)


def test_a_missing_shard_stops_the_load(linked: CatalogEntry) -> None:
    remove(linked.folder / last_shard(linked))
    with pytest.raises(ModelFileError, match=re.escape(last_shard(linked))):
        registry.load(linked, threads=1)


def test_parts_join_in_the_order_of_the_entry(linked: CatalogEntry) -> None:
    parts = [file for file in linked.files if file.part_of == "model.bin"]
    joined = read_file(linked, "model.bin")
    assert len(joined) == sum(part.bytes for part in parts)
    assert joined[-parts[-1].bytes :] == (linked.folder / parts[-1].name).read_bytes()


def test_an_unlisted_file_is_not_read(linked: CatalogEntry) -> None:
    with pytest.raises(ModelFileError, match="README"):
        read_file(linked, "README")
