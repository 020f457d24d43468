"""What a person reads who has asked for something that cannot be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kunnafoni.cli.local_server import local_server
from tests.service.cli.test_cli import kunnafoni

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kunnafoni.cli.local_server import LocalServer

GERMAN = "Guten Tag, wie geht es Ihnen heute?"
LONG = "Good morning. " * 5000  # no server is through with it in a millisecond


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with local_server("--model", "echo") as server:
        yield server


def test_texts_at_fault_are_named_and_the_others_translated(server: LocalServer, tmp_path: Path) -> None:
    fine, empty, german = (tmp_path / name for name in ("fine.txt", "empty.txt", "german.txt"))
    fine.write_text("Good morning to you all.", "utf-8")
    empty.write_text("", "utf-8")
    german.write_text(GERMAN, "utf-8")
    files = [str(path) for path in (empty, fine, german, fine)]
    result = kunnafoni(server, "translate", *files, "--to", "french")
    assert (result.returncode, result.stdout.count("MORNING")) == (1, 2)
    assert f"kunnafoni: The request is not valid: {empty}: is empty\n" in result.stderr
    assert f"kunnafoni: The language of {german} is not recognised" in result.stderr
    assert "--from does that." in result.stderr
    as_json = kunnafoni(server, "translate", *files, "--to", "français", "--format", "json")
    assert as_json.returncode == 1
    assert ["error" in each for each in json.loads(as_json.stdout)["translations"]] == [True, False, True, False]
    assert f"{empty}: is empty" in as_json.stderr
    detected = kunnafoni(server, "detect", *files)
    assert (detected.returncode, detected.stdout.count("\ten\t")) == (1, 2)
    assert f"{empty}: is empty" in detected.stderr


def test_a_script_that_is_not_served_is_named(server: LocalServer) -> None:
    result = kunnafoni(server, "translate", "--text", "I ni ce.", "--from", "bamanankan", "--to", "fr-Nkoo")
    assert (result.returncode, result.stdout) == (1, "")
    assert "asks for the script N'Ko, which is not served" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["translate", "none.txt"], 1, "kunnafoni: there is no file none.txt"),
        (["translate", "/"], 1, "kunnafoni: / is a folder: give files"),
        (["translate", "--text", GERMAN], 1, "name it. --from does that."),
        (["translate", "--text", LONG, "--timeout", "0.001"], 1, "It was 0.001 s; --timeout makes it longer."),
        (["translate", "--text", "Hello.", "--local"], 2, "give it or --server, not both"),
    ],
)
def test_it_says_what_to_do(server: LocalServer, arguments: list[str], code: int, message: str) -> None:
    result = kunnafoni(server, *arguments, "--to", "fr")
    assert (result.returncode, result.stdout) == (code, "")
    assert message in " ".join(result.stderr.replace("│", " ").split())


def test_an_edition_is_written_only_to_a_file_whose_form_is_known(server: LocalServer, tmp_path: Path) -> None:
    page = tmp_path / "page.pdf"
    command = ("summarize", "--from", "en", "--to", "en", "-o", page)
    result = kunnafoni(server, *command, given="Rain fell in Gao.")
    assert (result.returncode, page.exists()) == (2, False)
    assert "--format" in result.stderr
    assert kunnafoni(server, *command, "--format", "text", given="Rain fell in Gao.").returncode == 0
    assert "Rain fell in Gao." in page.read_text("utf-8")
