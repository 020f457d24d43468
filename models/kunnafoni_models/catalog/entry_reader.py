"""Reads the TOML files of the catalog into checked `CatalogEntry` and `Figures` values.

The keys of a file are the attributes of `CatalogEntry`, with three shorter forms: `[directions]` and the `scores` of a
`[[quality]]` table are keyed by pair (`"en>fr"`; `"fr>fr"` is a summary in French), and `folder` is relative to the
file.
"""

from __future__ import annotations

import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter, ValidationError

from kunnafoni_models.backend import CatalogError
from kunnafoni_models.catalog.entry import CatalogEntry, Figures

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    Table = dict[str, Any]

# File names with this ending have figures, not an entry.
FIGURES_SUFFIX = ".figures.toml"
_ENTRY, _FIGURES = TypeAdapter(CatalogEntry), TypeAdapter(Figures)


def read_entry(path: Path) -> CatalogEntry:
    """Read the entry at `path`.

    Raises:
        CatalogError: The file is not readable TOML, or a field is missing, unknown, malformed or contradicts another.
    """
    with _named(path):
        table = _table(path)
        table["directions"] = _by_pair(table.get("directions", {}))
        table["folder"] = (path.parent / str(table.get("folder", "."))).resolve()
        return _ENTRY.validate_python(table)


def read_figures(path: Path) -> Figures:
    """Read the figures at `path`.

    Raises:
        CatalogError: As for an entry.
    """
    with _named(path):
        return _FIGURES.validate_python(_table(path))


def _table(path: Path) -> Table:
    table = tomllib.loads(path.read_text("utf-8-sig"))
    table["quality"] = [score for group in table.get("quality", []) for score in _scores(group)]
    return table


@contextmanager
def _named(path: Path) -> Generator[None]:
    """Name the file in every error, and the place in it."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise CatalogError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (OSError, ValueError, TypeError, CatalogError) as error:
        raise CatalogError(f"{path}: {error}") from error


def _by_pair(tables: Any) -> Any:
    """Turn tables keyed by pair into a list of tables with languages. The validation refuses what is no table at all.

    Raises:
        TypeError: The value of a pair is no table; the validation would not name the pair.
    """
    if not isinstance(tables, dict):
        return tables
    for pair, fields in cast("dict[str, Any]", tables).items():
        if not isinstance(fields, dict):
            raise TypeError(f"directions: {pair!r} is {fields!r}, which is no table; write {{}} for the defaults")
    return [{**_pair(pair), **fields} for pair, fields in cast("dict[str, Table]", tables).items()]


def _scores(group: Any) -> list[Any]:
    if not isinstance(group, dict) or not isinstance(cast("Table", group).get("scores"), dict):
        return [group]
    shared = cast("Table", group).copy()
    scores: dict[str, Any] = shared.pop("scores")
    return [{**_pair(pair), "score": score, **shared} for pair, score in scores.items()]


def _pair(pair: str) -> Table:
    source, arrow, target = pair.partition(">")
    if not arrow:
        raise ValueError(f'{pair!r} is no pair of languages; write it like "en>fr"')
    return {"source": source, "target": target}
