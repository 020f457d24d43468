"""The `kunnafoni` command: puts the groups together and turns errors into one line and an exit code.

Exit codes: 0 done, 1 the server or a file said no, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

import kunnafoni
from kunnafoni.cli import demo, detect, evaluate, jobs, models, serve, summarize, translate
from kunnafoni.config import SettingsError
from kunnafoni.errors import KunnafoniError
from kunnafoni_models.backend import ModelError

app = typer.Typer(
    name="kunnafoni",
    help="Summarise news and translate it between English (en), French (fr) and Bambara (bm), on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("translate")(translate.translate)
app.command("summarize")(summarize.summarize)
app.command("detect")(detect.detect)
app.add_typer(jobs.jobs, name="jobs")
app.add_typer(models.models, name="models")
app.command("evaluate")(evaluate.evaluate)
app.command("info")(models.info)
app.command("demo")(demo.demo)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Print the version if asked."""
    if show:
        typer.echo(kunnafoni.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line."""
    try:
        app()
    except (KunnafoniError, ModelError, SettingsError, OSError) as error:
        Console(stderr=True, highlight=False).print(f"kunnafoni: {error}", markup=False, soft_wrap=True)
        raise SystemExit(1) from error
    except KeyboardInterrupt as error:
        raise SystemExit(130) from error
