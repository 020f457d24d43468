"""The commands that bring models in and list them, as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kunnafoni.cli.models import models as APP  # noqa: N812
from kunnafoni_models import registry
from kunnafoni_models.backend import ModelFileError
from tests.models.tiny_checkpoints import tiny


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


def test_a_non_commercial_model_is_imported_with_a_warning_and_listed(tmp_path: Path) -> None:
    checkpoint, models = tiny("m2m100", tmp_path / "checkpoint"), tmp_path / "models"
    command = ["import", str(checkpoint), "--as", "ours", "--models-dir", str(models), "--direction", "fr>bm"]
    result = CliRunner().invoke(APP, [*command, "--language", "bm=__sw__", "--license", "CC-BY-NC-4.0"])
    assert result.exit_code == 0, result.output
    assert "forbids commercial use" in result.stderr
    listed = CliRunner().invoke(APP, ["list", "--all", "--models-dir", str(models)]).output
    assert "ours" in listed
    assert "fr>bm" in listed
    assert "CC-BY-NC-4.0 (non-commercial)" in listed
    assert "import facebook/nllb-200-distilled-600M" in listed
    assert "~1100 MiB" in listed
    assert "OPUS-MT leaderboard" in listed
    told = json.loads(
        CliRunner().invoke(APP, ["list", "--all", "--models-dir", str(models), "--format", "json"]).output
    )
    assert {"ours": True, "nllb-200-distilled-600m": False}.items() <= {
        each["id"]: each["here"] for each in told
    }.items()


def test_a_model_of_the_catalog_brings_its_limits_and_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `import facebook/nllb-200-distilled-600M` would, were this the folder of that name."""
    monkeypatch.chdir(tmp_path)
    checkpoint = tiny("nllb", tmp_path / "facebook" / "nllb-200-distilled-600M")
    (checkpoint / "README.md").unlink()
    command = ["import", "facebook/nllb-200-distilled-600M", "--as", "ours", "--models-dir", "models"]
    result = CliRunner().invoke(APP, command)
    assert result.exit_code == 0, result.output
    known, made = (registry.catalog([Path("models")])[name] for name in ("nllb-200-distilled-600m", "ours"))
    assert (made.limits, made.licence, dict(made.languages)) == (known.limits, known.licence, dict(known.languages))
    assert sorted(map(repr, made.quality)) == sorted(map(repr, known.quality))
    assert "forbids commercial use" in result.stderr


def test_the_base_of_the_embedded_model_is_not_the_embedded_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    embedded = registry.catalog()["kunnafoni-270m"]
    tiny("nllb", tmp_path / embedded.base)
    command = ["import", embedded.base, "--as", "raw", "--models-dir", "models", "--license", "mine"]
    result = CliRunner().invoke(APP, command)
    assert result.exit_code == 0, result.output
    assert registry.catalog([Path("models")])["raw"].quality == ()


def test_a_model_that_is_not_here_is_not_verified() -> None:
    result = CliRunner().invoke(APP, ["verify", "opus-mt-en-fr"])
    assert isinstance(result.exception, ModelFileError)
    assert "models import Helsinki-NLP/opus-mt-en-fr" in str(result.exception)


def test_what_a_licence_says_is_no_markup(tmp_path: Path) -> None:
    text = (registry.BUILT_IN_CATALOG / "echo.toml").read_text("utf-8").replace('id = "echo"', 'id = "odd"')
    name = next(line for line in text.split("[licence]")[1].splitlines() if line.startswith("name"))
    (tmp_path / "odd.toml").write_text(text.replace(name, 'name = "see [/licence]"'), "utf-8")
    listed = CliRunner().invoke(APP, ["list", "--all", "--models-dir", str(tmp_path)])
    assert listed.exit_code == 0
    assert "see [/licence]" in listed.output


def test_wrong_use(tmp_path: Path) -> None:
    models = ["--models-dir", str(tmp_path)]
    for more in (
        ["--direction", "fr-bm"],
        ["--direction", "deu>fra"],
        ["--summaries", "de"],
        ["--backend", "onnx"],
        ["--language", "bm"],
        ["--as", "kunnafoni-270m"],
    ):
        assert CliRunner().invoke(APP, ["import", str(tmp_path), "--as", "ours", *models, *more]).exit_code == 2


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        APP, ["import", str(tmp_path / "a/b/c"), "--as", "ours", "--models-dir", str(tmp_path / "models")]
    )
    assert isinstance(result.exception, ModelFileError)
    assert not (tmp_path / "models").exists()
