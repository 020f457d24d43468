"""The commands that bring models in and list them, as a person calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from kunnafoni.cli.catalog_table import list_catalog
from kunnafoni.cli.models_import import import_model
from kunnafoni_models.backend import ModelFileError
from tests.models.tiny_checkpoints import tiny

if TYPE_CHECKING:
    from pathlib import Path

APP = typer.Typer()
APP.command("import")(import_model)
APP.command("list")(list_catalog)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")


def test_a_non_commercial_model_is_imported_with_a_warning_and_listed(tmp_path: Path) -> None:
    checkpoint, models = tiny("m2m100", tmp_path / "checkpoint"), tmp_path / "models"
    command = ["import", str(checkpoint), "--as", "ours", "--models-dir", str(models), "--direction", "fr>bm"]
    result = CliRunner().invoke(APP, [*command, "--language", "bm=__sw__", "--license", "CC-BY-NC-4.0"])
    assert result.exit_code == 0, result.output
    assert "forbids commercial use" in result.stderr
    listed = CliRunner().invoke(APP, ["list", "--models-dir", str(models)]).output
    assert "ours" in listed
    assert "fr>bm" in listed
    assert "CC-BY-NC-4.0 (non-commercial)" in listed
    assert "import facebook/nllb-200-distilled-600M" in listed


def test_wrong_use(tmp_path: Path) -> None:
    models = ["--models-dir", str(tmp_path)]
    for more in (["--direction", "fr-bm"], ["--backend", "onnx"], ["--language", "bm"]):
        assert CliRunner().invoke(APP, ["import", str(tmp_path), "--as", "ours", *models, *more]).exit_code == 2


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        APP, ["import", str(tmp_path / "a/b/c"), "--as", "ours", "--models-dir", str(tmp_path / "models")]
    )
    assert isinstance(result.exception, ModelFileError)
    assert not (tmp_path / "models").exists()
