"""`kunnafoni evaluate` over real servers: figures, report, and what it stores."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from kunnafoni.cli.evaluate import evaluate
from kunnafoni.cli.local_server import local_server
from kunnafoni.cli.scores import summary_scores, translation_scores
from kunnafoni_models import registry
from kunnafoni_models.backend import CatalogError
from kunnafoni_models.catalog.entry_writer import write_entry

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = ["the river is high", "the price of rice rose", "two hundred children came", "who will pay for it"]
APP = typer.Typer()
APP.command()(evaluate)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(APP, [*arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_two_models_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    text = (registry.BUILT_IN_CATALOG / "echo.toml").read_text("utf-8").replace('id = "echo"', 'id = "other"')
    (folder / "other.toml").write_text(text, "utf-8")
    # The operator's choice of another model is none of the measurement's business.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kunnafoni.toml").write_text('[routes]\n"en>fr" = "kunnafoni-270m"\n', "utf-8")
    monkeypatch.setenv("KUNNAFONI_ROUTES", '{"en>fr": "kunnafoni-270m"}')
    table = tmp_path / "set.tsv"
    # The echo backend answers in capitals, so that the reference is what it should say.
    rows = "".join(f"{number}\t[EN>FR]{line.upper()}\t{line}\n" for number, line in enumerate(SOURCES))
    table.write_text(f"id\tfr\ten\n{rows}", "utf-8")
    figures, page = tmp_path / "figures.json", tmp_path / "report.html"
    output = run(
        "--from", "en", "--to", "fr", "--tsv", str(table), "--model", "echo", "--model", "other",
        "--models-dir", str(folder), "--json-to", str(figures), "--html-to", str(page), "--write-catalog",
    )  # fmt: skip
    assert "echo" in output
    assert "nc:6|nw:2" in output
    systems = json.loads(figures.read_text("utf-8"))["systems"]
    assert [system["system"] for system in systems] == ["echo", "other"]
    assert [score["metric"] for score in systems[0]["scores"]] == ["chrF++", "BLEU", "spBLEU"]
    assert systems[0]["scores"] != systems[1]["scores"], "the second has p-values"
    assert systems[1]["scores"][0]["p_value"] > 0.5, "the same answers do not differ"
    assert systems[0]["peak_mb"] > 10
    report = page.read_text("utf-8")
    assert "<svg" in report
    assert not re.findall(r"(?:src|href)=", report), "the report needs nothing from elsewhere"
    for name in ("echo", "other"):
        entry = registry.catalog([folder])[name]
        stored = {each.metric: each for each in entry.quality}
        assert stored["chrF++"].score == pytest.approx(systems[0]["scores"][0]["value"], abs=0.01)
        assert stored["chrF++"].signature
        assert entry.memory_mb > 10
    assert sorted(path.name for path in folder.iterdir()) == ["echo.figures.toml", "other.figures.toml", "other.toml"]


def test_a_running_server(tmp_path: Path) -> None:
    (tmp_path / "source.txt").write_text("\n".join(SOURCES), "utf-8")
    (tmp_path / "reference.txt").write_text("\n".join(f"[EN>FR]{line.upper()}" for line in SOURCES), "utf-8")
    figures = tmp_path / "figures.json"
    texts = ["--source", str(tmp_path / "source.txt"), "--reference", str(tmp_path / "reference.txt")]
    with local_server("--model", "echo") as server:
        first = run("--from", "en", "--to", "fr", *texts, "--address", server.address)
        again = run("--from", "en", "--to", "fr", *texts, "--address", server.address, "--json-to", str(figures))
    assert "came from its cache" not in first
    assert f"{server.address}: 4 segments came from its cache" in again
    [system] = json.loads(figures.read_text("utf-8"))["systems"]
    assert system["system"] == server.address
    assert [score["metric"] for score in system["scores"]] == ["chrF++", "BLEU", "spBLEU"]
    assert system["scores"][0]["value"] > 50, "the references are what the echo says, but for its marks"
    assert system["characters_per_s"] > 0
    assert system["cached_segments"] == 4
    assert system["peak_mb"] is None, "the process is not ours to look at"


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--model", "echo"],
        ["--model", "echo", "--tsv", "{folder}/bad.tsv"],
        ["--model", "echo", "--tsv", "{folder}/good.tsv", "--write-catalog"],
        ["--model", "echo", "--tsv", "{folder}/latin.tsv"],
        ["--model", "echo", "--tsv", "{folder}/other.tsv"],
        ["--model", "echo", "--tsv", "{folder}/empty.tsv"],
        ["--model", "echo", "--tsv", "{folder}/good.tsv", "--json-to", "{folder}/no/figures.json"],
        ["--model", "echo", "--tsv", "{folder}/good.tsv", "--to", "de"],
    ],
)
def test_wrong_use(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "bad.tsv").write_text("only one column\n", "utf-8")
    (tmp_path / "latin.tsv").write_bytes("year\tannée\n".encode("latin-1"))
    (tmp_path / "other.tsv").write_text("bm\ten\nawɔ\tyes\n", "utf-8")
    (tmp_path / "empty.tsv").write_text("yes\toui\n\tnon\n", "utf-8")
    (tmp_path / "good.tsv").write_text("yes\toui\n", "utf-8")
    arguments = [option.format(folder=tmp_path) for option in options]
    assert CliRunner().invoke(APP, ["--from", "en", "--to", "fr", *arguments]).exit_code == 2


def test_a_column_is_no_reference_for_itself(tmp_path: Path) -> None:
    table = tmp_path / "set.tsv"
    table.write_text("en\tfr\nyes\toui\n", "utf-8")
    options = ["--from", "fr", "--to", "fr", "--tsv", str(table), "--model", "echo"]
    result = CliRunner().invoke(APP, options, env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert "has one column fr, which is no reference for itself" in result.output


def test_a_model_that_is_not_there_is_named_before_any_is_measured(tmp_path: Path) -> None:
    (tmp_path / "good.tsv").write_text("yes\toui\n", "utf-8")
    options = ["--from", "en", "--to", "fr", "--tsv", str(tmp_path / "good.tsv")]
    result = CliRunner().invoke(APP, [*options, "--model", "echo", "--model", "ecko"])
    assert isinstance(result.exception, CatalogError)
    assert "ecko" in str(result.exception)


def test_a_better_system_is_told_from_a_worse_one() -> None:
    references = [f"la maison numéro {number} est grande et belle" for number in range(40)]
    worse = [text.replace("grande", "rouge").replace("belle", "vieille") for text in references]
    found = translation_scores({"good": references, "bad": worse}, references)
    assert found["good"][0].value == pytest.approx(100)
    assert found["bad"][0].value < 80
    assert found["bad"][0].p_value is not None
    assert found["bad"][0].p_value < 0.05
    assert "kunnafoni-270m@" in found["bad"][2].signature


def test_summaries_count_letters_of_every_language() -> None:
    found = summary_scores({"a": ["sɔngɔ yɛlɛla"], "b": ["sugu yɛlɛla"]}, ["sɔngɔ yɛlɛla"])
    assert found["a"][0].value == pytest.approx(100)
    assert found["b"][0].value == pytest.approx(50)


def test_summaries_are_compared_text_by_text() -> None:
    references = [f"la crue du fleuve a coupé {number} routes" for number in range(40)]
    worse = [text.replace("crue", "pluie").replace("routes", "ponts") for text in references]
    found = summary_scores({"good": references, "same": references, "bad": worse}, references)
    assert [score.p_value for score in found["good"]] == [None] * 3
    assert [score.p_value for score in found["same"]] == [1.0] * 3
    for score in found["bad"]:
        assert score.p_value is not None
        assert score.p_value < 0.05


def test_the_built_in_entries_survive_writing(tmp_path: Path) -> None:
    for entry in registry.catalog().values():
        write_entry(tmp_path / f"{entry.id}.toml", entry)
    again = registry.catalog([tmp_path])
    for entry in registry.catalog().values():
        copy = again[entry.id]
        assert (sorted(map(repr, copy.quality)), copy.files) == (sorted(map(repr, entry.quality)), entry.files)
        assert copy.directions == entry.directions
        assert copy.folder.resolve() == entry.folder.resolve()
