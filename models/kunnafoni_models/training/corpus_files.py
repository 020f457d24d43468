"""Training text out of files: the task mix, translation memories as TSV, TMX or JSONL, and texts to keep out.

It knows the forms of files, not which rows are good: `filters` does. Text comes out as NFC on one line.

| file | form |
|---|---|
| `.tsv` | task, weight, source, target; or two columns; or a first line that names columns by language |
| `.tmx` | TMX 1.1 to 1.4; of a unit the first variant in each language of the pair |
| `.jsonl` | objects as `{"en": "...", "fr": "..."}`, the same under `translation`, or with the fields of the mix |

Each may be compressed as `.gz`.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from kunnafoni_models.training.corpus import Row
from kunnafoni_models.training.errors import TrainingError
from kunnafoni_models.training.memory_tmx import clean, code_of, units

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator
    from pathlib import Path
    from typing import BinaryIO

    Pair = tuple[str, str]

_TASK = re.compile(r"[a-z]{2,3}>[a-z]{2,3}|sum-[a-z]{2,3}")
_TAG = re.compile(r"\s*[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*\s*")
_MIX_COLUMNS = 4
_BOTH = 2
_MIX_FORM = "a row of a mix has a task as en>fr or sum-fr, a weight above 0, the source and the target"


def read_rows(path: Path, *, languages: Collection[str], pair: Pair | None = None) -> list[Row]:
    """Read the rows of a mix or of a memory, in the order of the file.

    Args:
        path: See the table above.
        languages: BCP-47 codes that the model knows; `fr-ML` in a file is `fr`.
        pair: Which languages of a memory are source and target; None where the file tells. A mix has its own.

    Raises:
        TrainingError: The file has another form, no row in both languages, or does not say which languages it has.
        OSError: The file cannot be read.
    """
    mix = list(_mix_rows(path))
    rows = mix or _paired(path, read_units(path, languages=languages, pair=pair), pair)
    if not rows:
        raise TrainingError(f"{path} is empty: it has no pair to learn from")
    return rows


def read_units(path: Path, *, languages: Collection[str], pair: Pair | None = None) -> list[dict[str, str]]:
    """Read the texts of a memory, or of a test set of several languages: for each unit its texts by language.

    Args:
        path: See the table above; no mix.
        languages: Codes that are wanted; others are left out.
        pair: Languages of the first two columns of a table that does not name them.

    Raises:
        TrainingError: The file has another form, or is a table that does not name its languages.
        OSError: The file cannot be read.
    """
    kind = _kind(path)
    if kind == ".tmx":
        with _open(path) as stream:
            return list(units(stream, path, languages))
    return _table_units(path, languages, pair) if kind == ".tsv" else _object_units(path, languages)


def read_texts(path: Path) -> Iterator[str]:
    """Every text of a file of the forms above, or every line of another one: what is to be kept out of training.

    Raises:
        TrainingError: The file is no valid TMX or JSONL.
        OSError: The file cannot be read.
    """
    kind = _kind(path, known=False)
    if kind == ".tmx":
        with _open(path) as stream:
            for unit in units(stream, path, None):
                yield from unit.values()
    elif kind == ".jsonl":
        for _, value in _objects(path):
            yield from _strings(value)
    else:
        for line in _lines(path):
            yield from line.split("\t")


def _kind(path: Path, *, known: bool = True) -> str:
    name = path.name.removesuffix(".gz")
    kind = name[name.rfind(".") :].lower() if "." in name else ""
    if known and kind not in {".tsv", ".tmx", ".jsonl"}:
        raise TrainingError(f"{path}: memories are .tsv, .tmx or .jsonl, or one of these with .gz")
    return kind


def _lines(path: Path) -> Iterator[str]:
    """Lines that are not empty."""
    with _open(path) as stream:
        for number, line in enumerate(stream, 1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise TrainingError(f"{path}: line {number} is not UTF-8: save it as UTF-8") from error
            if text.strip():
                yield text


@contextmanager
def _open(path: Path) -> Generator[BinaryIO]:
    try:
        with cast("BinaryIO", gzip.open(path, "rb")) if path.name.endswith(".gz") else path.open("rb") as stream:
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TrainingError(f"{path} is damaged or cut short: copy it again") from error


def _mix_rows(path: Path) -> Iterator[Row]:
    """The rows if the file is a mix, which its first row tells; else none."""
    if _kind(path) == ".tsv":
        for number, line in enumerate(_lines(path), 1):
            cells: list[Any] = line.split("\t")
            if number == 1 and not (len(cells) == _MIX_COLUMNS and _TASK.fullmatch(cells[0])):
                return
            yield _mix_row(f"{path}: row {number}", cells)
    elif _kind(path) == ".jsonl":
        for number, (line, value) in enumerate(_objects(path)):
            if not number and "task" not in value:
                return
            fields = [{"weight": 1.0, **value}.get(name) for name in ("task", "weight", "source", "target")]
            yield _mix_row(f"{path}: line {line}", fields)


def _mix_row(place: str, cells: list[Any]) -> Row:
    try:
        task, weight, source, target = cells
        row = Row(str(task), float(weight), clean(source), clean(target))
    except (ValueError, TypeError) as error:
        raise TrainingError(f"{place}: {_MIX_FORM}") from error
    if not _TASK.fullmatch(row.task) or not row.weight > 0:
        raise TrainingError(f"{place}: {_MIX_FORM}")
    return row


def _table_units(path: Path, languages: Collection[str], pair: Pair | None) -> list[dict[str, str]]:
    table = [line.split("\t") for line in _lines(path)]
    if not table:
        return []
    names = [code_of(name, languages) for name in table[0]]
    header = sum(map(bool, names)) >= _BOTH or (any(names) and all(map(_TAG.fullmatch, table[0])))
    if not header:
        if not pair:
            raise TrainingError(
                f"{path} does not say its languages: give --from and --to, or a first line as en<TAB>fr"
            )
        names = list(pair)
    found: list[dict[str, str]] = []
    for number, row in enumerate(table[header:], 1 + header):
        if len(row) < _BOTH:
            raise TrainingError(
                f"{path}: row {number} has no second column: a memory has the source, a tab, the target"
            )
        if header and len(row) != len(names):
            raise TrainingError(f"{path}: row {number} has {len(row)} columns, the first line has {len(names)}")
        texts = zip(names, map(_unquoted, row), strict=False)
        found.append({name: text for name, cell in texts if name and (text := clean(cell))})
    return found


def _unquoted(cell: str) -> str:
    """A cell as a spreadsheet means it: one with doubled quotes inside is quoted as a whole."""
    inside = cell[1:-1]
    return inside.replace('""', '"') if cell[:1] == cell[-1:] == '"' and '""' in inside else cell


def _object_units(path: Path, languages: Collection[str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for number, value in _objects(path):
        texts = value.get("translation", value)
        if not isinstance(texts, dict):
            raise TrainingError(f'{path}: line {number}: translation is no object as {{"en": "...", "fr": "..."}}')
        named = {code_of(name, languages): text for name, text in cast("dict[str, Any]", texts).items()}
        found.append({name: clean(text) for name, text in named.items() if name and isinstance(text, str) and text})
    return found


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_lines(path), 1):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TrainingError(f"{path}: line {number} is no JSON: {error}") from error
        if not isinstance(value, dict):
            raise TrainingError(f"{path}: line {number} is no JSON object")
        yield number, cast("dict[str, Any]", value)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        many = cast("dict[str, Any]", value).values() if isinstance(value, dict) else cast("list[Any]", value)
        for each in many:
            yield from _strings(each)


def _paired(path: Path, found: list[dict[str, str]], pair: Pair | None) -> list[Row]:
    """Rows of the units found that have both languages.

    Raises:
        TrainingError: The pair is not given and they do not tell it, or no unit has both.
    """
    if not found:
        return []
    counts = Counter(name for unit in found for name in unit)
    seen = ", ".join(f"{name} in {count}" for name, count in counts.most_common()) or "none that the model knows"
    if pair is None:
        if len(counts) > _BOTH:
            raise TrainingError(f"{path} has several languages ({seen}): say which with --from and --to")
        # A unit may lack its first text, or have the translation first.
        orders = Counter(tuple(unit) for unit in found if len(unit) == _BOTH)
        if not orders:
            raise TrainingError(f"{path} has one side only: languages of its {len(found)} units: {seen}")
        [(order, _)] = orders.most_common(1)
        pair = order[0], order[1]
    source, target = pair
    rows = [
        Row(f"{source}>{target}", 1.0, unit[source], unit[target])
        for unit in found
        if source in unit and target in unit
    ]
    if not rows:
        raise TrainingError(
            f"{path}: none of its {len(found)} units has both {source} and {target}; languages found: {seen}"
        )
    return rows
