"""`kunnafoni models train` and `adapt` as a person calls them, in processes of their own, on a tiny checkpoint."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from kunnafoni.cli.models_adapt import adapt_model
from kunnafoni_models import registry
from kunnafoni_models.importing.checkpoint_import import ImportRequest, import_checkpoint
from kunnafoni_models.training.errors import TrainingError
from tests.models.tiny_checkpoints import SHAPES, tiny
from tests.models.training.texts import memory, pairs

if TYPE_CHECKING:
    from pathlib import Path

    from kunnafoni_models.training.adaptation import Adaptation, Adapted, Watch

APP = typer.Typer()
APP.command()(adapt_model)
RECIPE = """
start = "checkpoint"
dev = "dev.tsv"

[[data]]
path = "memory.tsv"

[options]
steps = 5
batch_tokens = 512
max_tokens = 256

[export]
name = "ours"
"""


def kunnafoni(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command; layers are not compiled, which takes a minute."""
    command = [sys.executable, "-m", "kunnafoni", "models", *arguments]
    environment = {**os.environ, "TORCH_COMPILE_DISABLE": "1", "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, env=environment)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny("gemma3", tmp_path_factory.mktemp("kitchen") / "checkpoint")


@pytest.fixture
def models(tmp_path: Path, checkpoint: Path) -> Path:
    import_checkpoint(ImportRequest(checkpoint, tmp_path / "models", "tiny", hints=SHAPES["gemma3"].hints))
    return tmp_path / "models"


def test_adapt_and_what_it_leaves(tmp_path: Path, models: Path) -> None:
    command = [str(memory(tmp_path / "memory.tsv")), "--as", "ours", "--model", "tiny", "--models-dir", str(models)]
    done = kunnafoni("adapt", *command, "--minutes", "0.1", "--force")
    assert done.returncode == 0, done.stderr
    assert f"serve it: kunnafoni serve --models-dir {models} --model ours" in done.stdout
    routes = '{"en>fr": "ours", "fr>en": "ours"}'
    assert f"KUNNAFONI_ROUTES='{routes}' kunnafoni serve --models-dir {models} --model tiny" in done.stdout
    assert "dev, nats a character: en>fr" in done.stdout
    assert "held-out tenth of the memory" in done.stdout
    entry = registry.catalog([models])["ours"]
    page = (entry.folder / "report.html").read_text("utf-8")
    assert page.count("<svg") == 3
    assert not re.findall(r"(?:src|href)=|http", page), "the report needs nothing from elsewhere"
    again = kunnafoni("adapt", *command)
    assert (again.returncode, again.stdout) == (1, "")
    assert "exists: take another name with --as" in again.stderr


def test_train_and_what_it_leaves(tmp_path: Path, checkpoint: Path) -> None:
    recipe, out = tmp_path / "recipe.toml", tmp_path / "out"
    recipe.write_text(RECIPE)
    memory(checkpoint.parent / "memory.tsv")
    (checkpoint.parent / "dev.tsv").write_text("en\tfr\nThe council met.\tLe conseil s'est réuni.\n", "utf-8")
    command = ["train", str(recipe), "--out", str(out), "--data", str(checkpoint.parent)]
    done = kunnafoni(*command)
    assert done.returncode == 0, done.stderr
    assert f"kunnafoni serve --models-dir {out} --model ours" in done.stdout
    assert "step 5" in done.stdout
    assert "<svg" in (out / "report.html").read_text("utf-8")
    assert registry.catalog([out])["ours"].directions
    recipe.write_text(RECIPE.replace("steps", "step"))
    wrong = kunnafoni(*command)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert re.fullmatch(r"kunnafoni: .*\[options\] has no key step; its keys are .*\n", wrong.stderr)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("fr\ten", "source texts should be fr, and .* are en: check --from and --to"),
        ("en\tbm", "target texts should be bm, and .* are fr"),
    ],
)
def test_a_memory_in_other_languages_than_it_says(tmp_path: Path, models: Path, header: str, says: str) -> None:
    path = tmp_path / "memory.tsv"
    path.write_text(header + "\n" + "".join(f"{a}\t{b}\n" for a, b in pairs(240)), "utf-8")
    command = [str(path), "--as", "ours", "--model", "tiny", "--models-dir", str(models)]
    found = CliRunner().invoke(APP, command)
    assert isinstance(found.exception, TrainingError)
    assert re.search(says, str(found.exception))
    assert sorted(each.name for each in models.iterdir()) == ["tiny", "tiny.toml"]


def test_a_memory_in_a_language_that_is_none_of_the_three(tmp_path: Path, models: Path) -> None:
    path = tmp_path / "memory.tsv"
    lines = (
        f"The price of rice rose by {n} percent.\tDer Preis für Reis ist um {n} Prozent gestiegen." for n in range(240)
    )
    path.write_text("en\tfr\n" + "\n".join(lines) + "\n", "utf-8")
    found = CliRunner().invoke(APP, [str(path), "--as", "ours", "--model", "tiny", "--models-dir", str(models)])
    assert re.search("target texts should be fr, and 240 of 240 looked at are in no language", str(found.exception))


def test_how_long_is_the_callers_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[Adaptation] = []

    def taken(order: Adaptation, watch: Watch) -> Adapted:
        orders.append(order)
        raise TrainingError(f"not now, {watch.should_stop()}")

    monkeypatch.setattr("kunnafoni_models.training.adapt.adapt", taken)
    command = [str(memory(tmp_path / "memory.tsv")), "--as", "ours", "--models-dir", str(tmp_path)]
    for options in ([], ["--epochs", "6", "--minutes", "90"]):
        assert "not now, False" in str(CliRunner().invoke(APP, [*command, *options]).exception)
    assert [(order.options.epochs, order.minutes) for order in orders] == [(2.0, 30.0), (6.0, 90.0)]


@pytest.mark.parametrize(
    "options", [["--from", "en"], ["--from", "en", "--to", "de"], ["--minutes", "0"], ["--epochs", "0"], []]
)
def test_wrong_use(tmp_path: Path, options: list[str]) -> None:
    where = ["--models-dir", str(tmp_path)] if options else []
    assert CliRunner().invoke(APP, [str(tmp_path / "a.tsv"), "--as", "ours", *where, *options]).exit_code == 2
