"""Writes catalog entries and figures as the TOML that `entry_reader` reads."""

from __future__ import annotations

import json
import os
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kunnafoni_models.catalog.entry import CatalogEntry, Figures, Quality

_GROUPED_BY = ("metric", "test_set", "decoding", "date", "signature", "measured_by")


def write_entry(path: Path, entry: CatalogEntry) -> None:
    """Write `entry` to `path`, completely or not at all; `folder` is written relative to `path`.

    Raises:
        OSError: The file cannot be written.
    """
    _write(path, _lines(entry, path))


def write_figures(path: Path, figures: Figures) -> None:
    """Write `figures` to `path`, completely or not at all.

    Raises:
        OSError: The file cannot be written.
    """
    head = {"id": figures.id, "fingerprint": figures.fingerprint, "memory_mb": figures.memory_mb}
    _write(path, [*_pairs(head), *_quality(figures.quality)])


def _write(path: Path, lines: Iterable[str]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text("\n".join(lines) + "\n", "utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _lines(entry: CatalogEntry, path: Path) -> Iterable[str]:
    yield from _pairs(
        {
            "id": entry.id,
            "revision": entry.revision,
            "backend": entry.backend,
            "folder": os.path.relpath(entry.folder.resolve(), path.parent.resolve()),
            "base": entry.base,
            "parent": entry.parent or None,
            "data_sha256": entry.data_sha256 or None,
            "parameters": entry.parameters,
            "memory_mb": entry.memory_mb,
            "summary_languages": list(entry.summary_languages),
            "extract_languages": list(entry.extract_languages),
        }
    )
    yield from _table("[languages]", entry.languages)
    prompts, limits, licence = entry.prompts, entry.limits, entry.licence
    begin = list(prompts.begin_tokens)
    yield from _table(
        "[prompts]",
        {
            "begin_tokens": begin,
            "end_token": prompts.end_token,
            "translate": prompts.translate,
            "summarize": prompts.summarize,
            "filler": prompts.filler,
        },
    )
    yield from _table(
        "[limits]",
        {
            "translate_input_tokens": limits.translate_input_tokens,
            "summarize_input_tokens": limits.summarize_input_tokens,
            "summarize_output_tokens": limits.summarize_output_tokens,
            "total_tokens": limits.total_tokens,
        },
    )
    yield from ("", "[directions]")
    for direction in entry.directions:
        pairs = [f"output_ratio = {direction.output_ratio}", f"output_extra = {direction.output_extra}"]
        if direction.repetition_penalty != 1:
            pairs.append(f"repetition_penalty = {direction.repetition_penalty}")
        if direction.pivot:
            pairs.append(f'pivot = "{direction.pivot}"')
        yield f'"{direction.source}>{direction.target}" = {{ {", ".join(pairs)} }}'
    yield from _table(
        "[licence]",
        {
            "name": licence.name,
            "non_commercial": licence.non_commercial,
            "summary": licence.summary,
            "file": licence.file,
        },
    )
    yield from _table("[options]", entry.options)
    for file in entry.files:
        yield from _table(
            "[[files]]", {"name": file.name, "bytes": file.bytes, "sha256": file.sha256, "part_of": file.part_of}
        )
    yield from _quality(entry.quality)


def _quality(quality: Iterable[Quality]) -> Iterable[str]:
    for group, scores in groupby(sorted(quality, key=_group), key=_group):
        yield from _table("[[quality]]", dict(zip(_GROUPED_BY, group, strict=True)))
        yield "[quality.scores]"
        yield from _pairs({f"{score.source}>{score.target}": score.score for score in scores})


def _group(quality: Quality) -> tuple[Any, ...]:
    return tuple(getattr(quality, name) for name in _GROUPED_BY)


def _table(header: str, values: Mapping[str, Any]) -> Iterable[str]:
    yield from ("", header)
    yield from _pairs(values)


def _pairs(values: Mapping[str, Any]) -> Iterable[str]:
    for name, value in values.items():
        if value is not None:
            key = name if name.isidentifier() and name.isascii() else json.dumps(name)
            # JSON's strings, numbers, booleans and lists are valid TOML, except for one control character.
            text = (
                json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
                if isinstance(value, str | int | list)
                else str(value)
            )
            yield f"{key} = {text}"
