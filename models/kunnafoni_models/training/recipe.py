"""A recipe: everything that makes a model again but the texts, as one TOML file.

It knows the form of the file, not how to train. Paths in it are relative to its own folder or to one that is given,
so that a recipe can ship without the texts.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from kunnafoni_models.training.errors import TrainingError
from kunnafoni_models.training.filters import Filters
from kunnafoni_models.training.options import TrainingOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file to train on.

    Attributes:
        path: See `corpus_files`.
        weight: Factor on the weights of its rows: the chance of a row to be taken in an epoch.
        pair: Languages of a memory that does not name them, as `en>fr`; empty where the file tells.
        both_ways: Take each pair of a memory in the other direction too; a mix says itself.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    path: Path
    weight: Annotated[float, Field(gt=0)] = 1.0
    pair: Annotated[str, Field(pattern=r"^([a-z]{2,3}>[a-z]{2,3})?$")] = ""
    both_ways: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthetic:
    """Rows that the starting model, one of the catalog, makes of others before it learns: see `synthetic`.

    Attributes:
        task: Rows whose targets are translated, as `bm>fr`.
        into: Into which language, as `en`.
        weight: Of the rows `bm>en`, whose targets are made; 0 for none.
        reverse_weight: Of the rows `en>bm`, whose sources are made; 0 for none.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    task: Annotated[str, Field(pattern=r"^[a-z]{2,3}>[a-z]{2,3}$")]
    into: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
    weight: Annotated[float, Field(ge=0)] = 1.0
    reverse_weight: Annotated[float, Field(ge=0)] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What becomes of the starting model's vocabulary.

    Attributes:
        cut: Keep only the pieces that occur in the data, and those that every text needs.
        new_pieces: Most pieces of Bambara to add, learnt from the data; 0 adds none. `options.new_rows` is then their
            number, whatever it says.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    cut: bool = False
    new_pieces: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What the finished run becomes.

    Attributes:
        name: Identifier of the model.
        revision: Which build of it; empty for the day of the export.
        hugging_face: Write a folder that transformers loads, too.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    revision: str = ""
    hugging_face: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is made.

    Attributes:
        start: Catalog id of a model in the embedded form, or folder of a Hugging Face checkpoint.
        data: What to train on.
        synthetic: Rows to make of the data.
        evaluation: Files whose texts are kept out of training.
        dev: Texts in several languages, as FLORES-200's: the first lines are the dev rows. None for no dev figures.
        test: The same, for chrF++ of the export. None for none.
        dev_lines, test_lines: How many lines of these.
        vocabulary, filters, options, export: See there.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    start: str
    data: Annotated[tuple[Source, ...], Field(min_length=1)]
    export: Export
    synthetic: tuple[Synthetic, ...] = ()
    evaluation: tuple[Path, ...] = ()
    dev: Path | None = None
    test: Path | None = None
    dev_lines: Annotated[int, Field(gt=0)] = 40
    test_lines: Annotated[int, Field(gt=0)] = 200
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    filters: Filters = field(default_factory=Filters)
    options: TrainingOptions = field(default_factory=lambda: TrainingOptions(minutes=60.0))


_RECIPE = TypeAdapter(Recipe)


def read_recipe(path: Path, *, data: Path | None = None) -> Recipe:
    """Read the recipe at `path`.

    Args:
        path: TOML with the attributes of `Recipe` as keys.
        data: Folder that paths in the recipe are relative to; None for the recipe's own.

    Raises:
        TrainingError: The file is no TOML, a key is unknown, missing or malformed, or a file that it names is missing.
        OSError: The file cannot be read.
    """
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} is no TOML: {error}") from error
    _check_tables(path, table)
    try:
        recipe = _RECIPE.validate_python(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise TrainingError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except TrainingError as error:
        raise TrainingError(f"{path}: [options] {error}") from error
    recipe = _placed(recipe, data or path.parent)
    if missing := next((each for each in _paths(recipe) if not each.is_file()), None):
        raise TrainingError(f"{missing} is missing: put it there, change {path}, or give its folder with --data")
    return recipe


def _check_tables(path: Path, table: dict[str, Any]) -> None:
    """What pydantic says of a key that no table has does not name those that it could be."""
    known = {"": Recipe, "vocabulary": Vocabulary, "filters": Filters, "options": TrainingOptions, "export": Export}
    for name, kind in known.items():
        keys: Any = table.get(name, {}) if name else table
        names = [each.name for each in fields(kind)]
        unknown = sorted(set(cast("dict[str, Any]", keys)) - set(names)) if isinstance(keys, dict) else []
        if unknown:
            place = f"[{name}]" if name else "the recipe"
            raise TrainingError(f"{path}: {place} has no key {unknown[0]}; its keys are {', '.join(names)}")


def _placed(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with its paths relative to `folder`."""
    start = folder / recipe.start
    return replace(
        recipe,
        start=str(start) if start.is_dir() else recipe.start,
        data=tuple(replace(each, path=folder / each.path) for each in recipe.data),
        evaluation=tuple(folder / each for each in recipe.evaluation),
        dev=recipe.dev and folder / recipe.dev,
        test=recipe.test and folder / recipe.test,
    )


def _paths(recipe: Recipe) -> Iterator[Path]:
    yield from (each.path for each in recipe.data)
    yield from recipe.evaluation
    yield from (each for each in (recipe.dev, recipe.test) if each)
