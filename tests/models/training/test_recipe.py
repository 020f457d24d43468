"""Recipes: what is said of a wrong one, and one followed to the end, stopped and resumed on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kunnafoni_models
from kunnafoni_models import registry
from kunnafoni_models.backend import CatalogError
from kunnafoni_models.training.adaptation import Watch
from kunnafoni_models.training.errors import CheckpointError, TrainingError
from kunnafoni_models.training.follow import follow
from kunnafoni_models.training.log import Log
from kunnafoni_models.training.recipe import read_recipe
from kunnafoni_models.training.weights import read_weights
from tests.models.tiny_checkpoints import tiny
from tests.models.training.texts import memory

if TYPE_CHECKING:
    from kunnafoni_models.training.progress import Progress

SHIPPED = Path(kunnafoni_models.__file__).parent / "embedded"
RECIPE = """
start = "checkpoint"
dev = "dev.tsv"
test = "dev.tsv"
evaluation = ["plain.txt"]

[[data]]
path = "memory.tsv"
both_ways = true
weight = 0.5

[vocabulary]
cut = true
new_pieces = 10

[options]
steps = 20
threads = 1
learning_rate = 1e-2
batch_tokens = 512
max_tokens = 256
compile = false

[export]
name = "ours"
hugging_face = true
"""


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kitchen")
    tiny("gemma3", folder / "checkpoint")
    memory(folder / "memory.tsv", 150)
    (folder / "dev.tsv").write_text("en\tfr\tbm\nThe council met.\tLe conseil s'est réuni.\tDugutigi ye jama lajɛ.\n")
    (folder / "plain.txt").write_text("The price of rice near the market rose by 2 percent, said the minister.\n")
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


def test_a_recipe_is_followed_stopped_and_resumed(tmp_path: Path, kitchen: Path) -> None:
    recipe = read_recipe(kitchen / "recipe.toml")
    out, steps = tmp_path / "out", list[int]()

    def seen(progress: Progress) -> None:
        steps.append(progress.step)
        if progress.step == 3:
            with pytest.raises(CheckpointError, match="a training is at work there"):
                follow(recipe, out, Watch(), resume=True)

    with pytest.raises(TrainingError, match="--resume goes on"):
        follow(recipe, out, Watch(on_progress=seen, should_stop=lambda: 7 in steps))
    with pytest.raises(TrainingError, match="--resume"):
        follow(recipe, out, Watch())
    steps.clear()
    done = follow(recipe, out, Watch(on_progress=seen), resume=True)
    assert (min(steps), max(steps)) == (7, 20)
    assert (done.rows, done.dropped) == (298, {"in an evaluation file": 2})
    assert not (tmp_path / "out.lock").exists()
    entry = registry.catalog([out])["ours"]
    assert (entry.files, entry.folder) == (done.entry.files, done.entry.folder)
    assert {each.metric for each in entry.quality} == {"chrF++", "BLEU"}
    assert json.loads((entry.folder / "quality.json").read_text())["directions"].keys() >= {"en-fr", "fr-bm"}
    written = read_weights(out / "hugging-face").architecture.vocabulary
    assert written < read_weights(kitchen / "checkpoint").architecture.vocabulary
    assert [each["step"] for each in Log(out / "training.jsonl").events("progress")][-1] == 20
    with pytest.raises(CatalogError, match="exists"):
        follow(recipe, out, Watch(), resume=True)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("start =", "begin =", "the recipe has no key begin; its keys are start, data"),
        ("steps = 20", "step = 20", r"\[options\] has no key step; its keys are minutes, steps"),
        ("steps = 20", 'steps = "many"', r"options\.steps"),
        ("steps = 20", "steps = 0", r"\[options\] steps is 0 and must be greater than 0"),
        ("both_ways", "two_ways", r"data\.0\.two_ways"),
        ("weight = 0.5", "weight = 0", r"data\.0\.weight"),
        ('"memory.tsv"', '"nowhere.tsv"', r"nowhere\.tsv is missing: .* --data"),
        ('name = "ours"', 'name = "Our Model"', r"export\.name"),
        ('name = "ours"', "", r"export\.name"),
        ("[export]", "[export", "is no TOML"),
    ],
)
def test_what_is_said_of_a_wrong_recipe(kitchen: Path, tmp_path: Path, old: str, new: str, says: str) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.replace(old, new, 1))
    with pytest.raises(TrainingError, match=says):
        read_recipe(tmp_path / "recipe.toml", data=kitchen)


def test_a_start_that_is_not_there(kitchen: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.replace('"checkpoint"', '"nothing-like-it"'))
    with pytest.raises(TrainingError, match="neither a model of the catalog nor the folder of a checkpoint"):
        follow(read_recipe(tmp_path / "recipe.toml", data=kitchen), tmp_path / "out", Watch())


@pytest.mark.parametrize(
    ("name", "rate", "batch_tokens"),
    [
        ("RECIPE.toml", 1e-4, 16384),
        ("RECIPE-2026-11-26.toml", 1e-4, 16384),
        ("RECIPE-2026-11-23.toml", 5e-5, 4096),
    ],
)
def test_the_recipes_of_the_shipped_model(tmp_path: Path, name: str, rate: float, batch_tokens: int) -> None:
    for file in ("mix.tsv.gz", "dev.tsv", "devtest.tsv"):
        (tmp_path / file).touch()
    recipe = read_recipe(SHIPPED / name, data=tmp_path)
    assert recipe.export.name == "kunnafoni-270m"
    assert (recipe.options.learning_rate, recipe.options.batch_tokens) == (rate, batch_tokens)
    with pytest.raises(TrainingError, match="is missing"):
        read_recipe(SHIPPED / name)
