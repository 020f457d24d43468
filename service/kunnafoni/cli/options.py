"""Options and input that several commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kunnafoni.client import Client
from kunnafoni.config import load_settings

Address = Annotated[
    str | None,
    typer.Option("--address", "-a", help="host:port of the server; else KUNNAFONI_ADDRESS, kunnafoni.toml, localhost."),
]
Timeout = Annotated[float | None, typer.Option("--timeout", min=0.001, help="Deadline of the call in seconds.")]
Json = Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")]
Files = Annotated[
    list[Path] | None,
    typer.Argument(help="Text files (UTF-8), one content each; none or - reads standard input.", show_default=False),
]
Text = Annotated[str | None, typer.Option("--text", help="Take this text instead of a file.")]


def connect(address: str | None, timeout_s: float | None = None) -> Client:
    """A client for the configured server."""
    settings = load_settings(address=address, timeout_s=timeout_s)
    return Client(settings.address, timeout_s=settings.timeout_s)


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


def _read(path: Path) -> str:
    data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{path} is not UTF-8 (byte {error.start})") from error
