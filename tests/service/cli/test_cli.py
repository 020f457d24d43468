"""The commands of a terminal, as a process against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from kunnafoni.cli.local_server import LocalServer


def kunnafoni(
    server: LocalServer | None, *arguments: str | Path, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    address = ["--server", server.address] if server else []
    return subprocess.run(
        [sys.executable, "-m", "kunnafoni", *arguments, *address],
        input=given,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_translate_a_file(embedded: LocalServer, tmp_path: Path) -> None:
    article = tmp_path / "article.txt"
    article.write_text("The school opens on Monday.\n\nSee https://example.org.\n", "utf-8")
    result = kunnafoni(embedded, "translate", article, "--to", "fr")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("\n\n") == 1
    assert "https://example.org" in result.stdout
    assert "school" not in result.stdout


def test_translate_standard_input_and_text(embedded: LocalServer) -> None:
    from_text = kunnafoni(embedded, "translate", "--text", "Good morning.", "--to", "fr", "--from", "en")
    from_input = kunnafoni(embedded, "translate", "--to", "fr", "--from", "en", given="Good morning.")
    assert from_text.stdout == from_input.stdout
    assert from_text.stdout.strip()


def test_pipes_get_utf_8_whatever_the_terminal_has(embedded: LocalServer) -> None:
    command = [sys.executable, "-m", "kunnafoni", "translate", "--to", "bm", "--server", embedded.address, "--text"]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    text = "The school opens on Monday, and the teachers come back to the village."
    made = subprocess.run([*command, text], env=environment, capture_output=True, timeout=100, check=True).stdout
    assert made == kunnafoni(embedded, "translate", "--to", "bm", "--text", text).stdout.encode()
    assert any(letter in made.decode() for letter in "ɛɔɲŋ")
    wrong = subprocess.run([*command, b"caf\xe9"], env=environment, capture_output=True, timeout=100, check=False)
    assert (wrong.returncode, wrong.stderr) == (2, b"kunnafoni: an argument is not UTF-8\n")


def test_json_answers_are_the_messages(embedded: LocalServer) -> None:
    result = kunnafoni(embedded, "translate", "--text", "Good morning.", "--to", "bm", "--format", "json")
    [translation] = json.loads(result.stdout)["translations"]
    assert translation["sourceLanguageCode"] == "en"
    assert translation["provenance"]["machineGenerated"] is True
    models = json.loads(kunnafoni(embedded, "models", "list", "--format", "json").stdout)["models"]
    assert "kunnafoni-270m" in {model["id"] for model in models}
    info = json.loads(kunnafoni(embedded, "info", "--format", "json").stdout)
    assert len(info["pairs"]) == 6


def test_detect_models_and_info(embedded: LocalServer, tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("Le marché ouvre demain matin.", "utf-8")
    two.write_text("An ka taa sugu la sini.", "utf-8")
    result = kunnafoni(embedded, "detect", one, two)
    assert [line.split("\t")[:2] for line in result.stdout.splitlines()] == [[str(one), "fr"], [str(two), "bm"]]
    assert "kunnafoni-270m" in kunnafoni(embedded, "models", "list").stdout
    assert "bm (Bambara)" in kunnafoni(embedded, "info").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["translate", "--text", "x", "--to", "tlh"], 1, "target_language_code"),
        (["translate", "/no/such/file", "--to", "fr"], 1, "/no/such/file"),
        (["translate", "--text", "x", "some.txt", "--to", "fr"], 2, "not both"),
        (["translate", "--text", "x"], 2, "--to"),
    ],
)
def test_mistakes_are_one_clear_message(embedded: LocalServer, arguments: list[str], code: int, message: str) -> None:
    result = kunnafoni(embedded, *arguments)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_files_that_are_no_utf8(embedded: LocalServer, tmp_path: Path) -> None:
    path = tmp_path / "latin1.txt"
    path.write_bytes("école".encode("latin-1"))
    result = kunnafoni(embedded, "translate", path, "--to", "en")
    assert result.returncode == 2
    assert "UTF-8" in result.stderr


def test_show_and_verify(embedded: LocalServer) -> None:
    shown = json.loads(kunnafoni(embedded, "models", "show", "kunnafoni-270m", "--format", "json").stdout)
    assert shown["licence"]["name"] == "Gemma Terms of Use"
    assert kunnafoni(embedded, "models", "show", "nonsense").returncode == 1
    verified = kunnafoni(None, "models", "verify")
    assert (verified.returncode, "are right" in verified.stdout) == (0, True)


def test_local_needs_no_server() -> None:
    result = kunnafoni(None, "translate", "--text", "Good morning.", "--to", "fr", "--from", "en", "--local")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


def test_wrong_settings_are_wrong_usage() -> None:
    result = kunnafoni(None, "serve", "--threads", "-3")
    assert result.returncode == 2
    assert "threads" in result.stderr
    assert "Traceback" not in result.stderr


def test_no_server_is_said_plainly() -> None:
    result = kunnafoni(None, "translate", "--text", "x", "--to", "fr", "--server", "localhost:1", "--timeout", "5")
    assert result.returncode == 1
    assert "localhost:1" in result.stderr
    assert "Traceback" not in result.stderr


def test_help_and_version_need_no_server() -> None:
    assert "Bambara" in kunnafoni(None, "--help").stdout
    assert kunnafoni(None, "--version").stdout.strip().count(".") == 2
