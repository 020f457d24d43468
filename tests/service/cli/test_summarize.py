"""`kunnafoni summarize` as a process against a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.service.cli.test_cli import kunnafoni
from tests.service.rpc.articles import BODIES, HEADLINES

if TYPE_CHECKING:
    from pathlib import Path

    from kunnafoni.cli.local_server import LocalServer


@pytest.fixture
def article(tmp_path: Path) -> Path:
    path = tmp_path / "article.txt"
    path.write_text(f"{HEADLINES['en']}\n\n{BODIES['en']}\n", "utf-8")
    return path


def test_text_for_the_terminal(embedded: LocalServer, article: Path) -> None:
    result = kunnafoni(embedded, "summarize", article, "--to", "en,fr,bm", "--length", "short", "--key-points", "3")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("•") == 9
    assert HEADLINES["en"] in result.stdout
    for name in ("English (en)", "French (fr)", "Bambara (bm)"):
        assert name in result.stdout


def test_json_is_the_message(embedded: LocalServer, article: Path) -> None:
    options = ("--to", "fr, en", "--format", "json", "--max-words", "20", "-k", "0", "--headline", "Another headline")
    answer = json.loads(kunnafoni(embedded, "summarize", article, *options).stdout)
    assert [edition["languageCode"] for edition in answer["editions"]] == ["fr", "en"]
    assert answer["editions"][1]["headline"] == "Another headline"
    assert "keyPoints" not in answer["editions"][0]
    assert len(answer["editions"][1]["summary"].split()) <= 20
    assert answer["sourceLanguageCode"] == "en"


@pytest.mark.parametrize(("form", "start"), [("html", "<!doctype html>"), ("markdown", "# "), ("text", "English")])
def test_files_are_written(embedded: LocalServer, article: Path, tmp_path: Path, form: str, start: str) -> None:
    path = tmp_path / "out"
    result = kunnafoni(embedded, "summarize", article, "--to", "en", "--format", form, "-o", path)
    assert (result.returncode, result.stdout) == (0, "")
    assert path.read_text("utf-8").startswith(start)
    assert HEADLINES["en"] in path.read_text("utf-8")


def test_the_name_of_a_file_says_its_form_and_no_file_is_lost(
    embedded: LocalServer, article: Path, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    assert kunnafoni(embedded, "summarize", article, "--to", "en", "-o", path).returncode == 0
    made = path.read_text("utf-8")
    assert made.startswith("<!doctype html>")
    for wrong, message in ((path, "--force"), (tmp_path / "no" / "page.html", "does not exist")):
        result = kunnafoni(embedded, "summarize", article, "--to", "en", "-o", wrong)
        assert result.returncode == 2
        assert message in result.stderr
    assert path.read_text("utf-8") == made
    assert kunnafoni(embedded, "summarize", article, "--to", "en", "-o", path, "--force").returncode == 0


def test_standard_input_in_a_named_language(embedded: LocalServer) -> None:
    given = f"<html><body><article><p>{BODIES['fr']}</p></article></body></html>"
    result = kunnafoni(embedded, "summarize", "--from", "fr", "--to", "fr", "-l", "short", given=given)
    assert result.returncode == 0, result.stderr
    assert "Sikasso" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--to", "tlh"], 1, "target_language_codes[0]"),
        (["--to", ""], 1, "target_language_codes"),
        (["--to", "en", "--key-points", "8"], 2, "--key-points"),
        (["--to", "en", "--length", "huge"], 2, "--length"),
        (["--to", "en", "--from", "xx"], 1, "article.language_code"),
    ],
)
def test_mistakes_are_one_clear_message(
    embedded: LocalServer, article: Path, arguments: list[str], code: int, message: str
) -> None:
    result = kunnafoni(embedded, "summarize", article, *arguments)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_the_demo_shows_three_editions() -> None:
    result = kunnafoni(None, "demo")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("sentences of the article") == 3
    assert all(route in result.stdout for route in ("no model", "kunnafoni-270m en>fr", "kunnafoni-270m en>bm"))
    assert "•" in result.stdout
