"""Options and input that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kunnafoni.cli.local_server import local_server
from kunnafoni.client import Client
from kunnafoni.config import load_settings
from kunnafoni.errors import DeadlineError, KunnafoniError, UndetectedLanguageError
from kunnafoni.languages import LANGUAGES, known_code, other_script

NAME_IT = "--from does that."  # of a language that is not recognised


class OutputFormat(StrEnum):
    """How an answer is printed."""

    TEXT = "text"
    JSON = "json"


Address = Annotated[
    str | None,
    typer.Option("--server", "-s", help="host:port of the server; else KUNNAFONI_SERVER, kunnafoni.toml, localhost."),
]
Local = Annotated[bool, typer.Option("--local", help="Start a server for this one command instead.")]
Timeout = Annotated[float | None, typer.Option("--timeout", min=0.001, help="Deadline of the call in seconds.")]
AnswerFormat = Annotated[OutputFormat, typer.Option("--format", help="text, or the whole answer as json.")]
Files = Annotated[
    list[Path] | None,
    typer.Argument(help="Text files (UTF-8), one content each; none or - reads standard input.", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Text = Annotated[str | None, typer.Option("--text", help="Take this text instead of a file.")]


@contextmanager
def connect(address: str | None, timeout_s: float | None = None, *, local: bool = False) -> Generator[Client]:
    """A client for the configured server, or for one that lives as long as the command.

    Raises:
        typer.BadParameter: an address is given and `local` as well.
    """
    if local and address is not None:
        raise typer.BadParameter("--local starts a server of its own: give it or --server, not both")
    settings = load_settings(server=address, timeout_s=timeout_s)
    with local_server() if local else nullcontext() as own:
        where = own.address if own else settings.server
        with Client(where, timeout_s=settings.timeout_s) as client:
            try:
                yield client
            except DeadlineError as error:
                error.add_note(f"It was {settings.timeout_s:g} s; --timeout makes it longer.")
                raise
            except UndetectedLanguageError as error:
                error.add_note(NAME_IT)
                raise


def language_code(tag: str) -> str:
    """The code of a language that is named by any tag of it.

    Raises:
        typer.BadParameter: it is none of the product's.
    """
    code = known_code(tag)
    if code is None:
        script = other_script(tag)
        why = f"asks for the script {script}, which is not served" if script else "is no language of this program"
        raise typer.BadParameter(f"{tag!r} {why}: {', '.join(sorted(LANGUAGES))}")
    return code


def check_files(paths: Iterable[Path], *, force: bool) -> None:
    """Make sure, before any work, that files can be written and that none is overwritten by accident.

    Raises:
        typer.BadParameter: a file exists and there is no `--force`, or its folder does not.
    """
    for path in paths:
        if not path.parent.is_dir():
            raise typer.BadParameter(f"{path}: the folder {path.parent} does not exist")
        if path.exists() and not force:
            raise typer.BadParameter(f"{path} exists; --force replaces it")


def read_contents(files: list[Path] | None, text: str | None) -> list[str]:
    """The contents that a command is to work on, in the order given.

    Raises:
        typer.BadParameter: a text and files are both given, or a file is not UTF-8.
        OSError: a file cannot be read.
    """
    if text is not None:
        if files:
            raise typer.BadParameter("give files or --text, not both")
        return [text]
    return [_read(path) for path in files or [Path("-")]]


def content_names(files: list[Path] | None, text: str | None) -> list[str]:
    """What the contents that `read_contents` returns are called in messages."""
    if text is not None:
        return ["the text"]
    return ["standard input" if str(path) == "-" else str(path) for path in files or [Path("-")]]


def report_errors(errors: Iterable[tuple[int, KunnafoniError]], names: list[str]) -> None:
    """Say on standard error which contents have no result and why.

    Args:
        errors: The place of each such content in the call, and its error.
        names: What the contents are called.

    Raises:
        typer.Exit: there are such contents: exit code 1.
    """
    failed = False
    for place, error in errors:
        failed = True
        message = str(error).replace(f"contents[{place}]", names[place])
        note = f" {NAME_IT}" if isinstance(error, UndetectedLanguageError) else ""
        sys.stderr.write(f"kunnafoni: {message}{note}\n")
    if failed:
        raise typer.Exit(1)


def _read(path: Path) -> str:
    data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{path} is not UTF-8 (byte {error.start})") from error
