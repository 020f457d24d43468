"""The `kunnafoni` command: finds its commands and turns errors into one line and an exit code.

A command's module is imported when the command is called (or help lists all): a server starts sooner, and `--version`
needs nothing. Exit codes: 0 done, 1 the server or a file said no, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import errno
import io
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

import kunnafoni
from kunnafoni.config import SettingsError
from kunnafoni.errors import KunnafoniError
from kunnafoni_models.backend import ModelError
from kunnafoni_models.extras import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

# Command -> module in this package and the function or group in it.
COMMANDS = {
    "serve": ("serve", "serve"),
    "translate": ("translate", "translate"),
    "summarize": ("summarize", "summarize"),
    "detect": ("detect", "detect"),
    "jobs": ("jobs", "jobs"),
    "models": ("models", "models"),
    "evaluate": ("evaluate", "evaluate"),
    "info": ("models", "info"),
    "demo": ("demo", "demo"),
}


class LazyCommands(TyperGroup):
    """The commands of `COMMANDS`, as click's documentation loads subcommands lazily."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Name all commands, in the order in which help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Import a command; None if there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        found: typer.Typer | Callable[..., None] = getattr(import_module(f"kunnafoni.cli.{module}"), name)
        if isinstance(found, typer.Typer):
            group = typer.main.get_group(found)
            group.name = cmd_name
            return group
        command = typer.Typer(add_completion=False)
        command.command(cmd_name)(found)
        return typer.main.get_command(command)


app = typer.Typer(
    cls=LazyCommands,
    name="kunnafoni",
    help="Summarise news and translate it between English (en), French (fr) and Bambara (bm), on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Print the version if asked."""
    if show:
        typer.echo(kunnafoni.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line: exit code 0 for success, 1 for a failure, 2 for wrong usage or settings, 130 for Ctrl-C."""
    _write_any_language()
    try:
        app()
    except (KunnafoniError, MissingExtraError, ModelError, SettingsError, OSError) as error:
        sys.stderr.write(f"kunnafoni: {_sentence(error)}\n")
        raise SystemExit(2 if isinstance(error, SettingsError) else 1) from error
    except UnicodeEncodeError as error:  # Python lets bytes of other encodings through as half surrogates
        sys.stderr.write("kunnafoni: an argument is not UTF-8\n")
        raise SystemExit(2) from error
    except KeyboardInterrupt as error:
        raise SystemExit(130) from error


def _sentence(error: Exception) -> str:
    """What went wrong, with the notes that a command has added."""
    message = str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        causes = {errno.ENOENT: "there is no file {}", errno.EISDIR: "{} is a folder: give files"}
        cause = causes.get(error.errno or 0, f"{{}}: {error.strerror[0].lower()}{error.strerror[1:]}")
        message = cause.format(error.filename)
    return " ".join((message, *getattr(error, "__notes__", ())))


def _write_any_language() -> None:
    """Files and pipes get UTF-8; a terminal of another encoding gets signs in place of letters that it lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
