"""One file of the catalog: TOML in, a checked `CatalogEntry` out.

A file has the attributes of `CatalogEntry` as its keys, with three shorter forms: `[directions]` and the `scores` of a
`[[quality]]` table go by pair (`"en>fr"`; `"fr>fr"` is a summary in French), and `folder` is relative to the file.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter, ValidationError

from kunnafoni_models.backend import CatalogError
from kunnafoni_models.entries import CatalogEntry

if TYPE_CHECKING:
    from pathlib import Path

    Table = dict[str, Any]

_ENTRY = TypeAdapter(CatalogEntry)


def read_entry(path: Path) -> CatalogEntry:
    """Read the entry at `path`.

    Raises:
        CatalogError: The file is not readable TOML, or a field is missing, unknown, malformed or contradicts another.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
        table["directions"] = _by_pair(table.get("directions", {}))
        table["quality"] = [score for group in table.get("quality", []) for score in _scores(group)]
        table["folder"] = (path.parent / str(table.get("folder", "."))).resolve()
        return _ENTRY.validate_python(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise CatalogError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (OSError, ValueError, TypeError, CatalogError) as error:
        raise CatalogError(f"{path}: {error}") from error


def _by_pair(tables: Any) -> Any:
    """Tables keyed by pair to tables that name their languages. What is no table is left to the validation.

    Raises:
        TypeError: A pair has something else than a table; the validation would not name the pair.
    """
    if not isinstance(tables, dict):
        return tables
    for pair, fields in cast("dict[str, Any]", tables).items():
        if not isinstance(fields, dict):
            raise TypeError(f"directions: {pair!r} is {fields!r} and no table; {{}} will do")
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
        raise ValueError(f'{pair!r} is no pair of languages; write it as "en>fr"')
    return {"source": source, "target": target}
