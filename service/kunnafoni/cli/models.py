"""`kunnafoni models` and `kunnafoni info`: the models of a server and of the catalog, and how to add more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from google.protobuf.json_format import MessageToJson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kunnafoni.cli.catalog_table import list_catalog
from kunnafoni.cli.models_adapt import adapt_model
from kunnafoni.cli.models_import import import_model
from kunnafoni.cli.models_train import train_model
from kunnafoni.cli.options import Address, AnswerFormat, Local, OutputFormat, connect
from kunnafoni.config import load_settings
from kunnafoni.errors import NotFoundError
from kunnafoni.v1.model_pb2 import LanguagePair, ListModelsResponse, Model, ModelState, Quality
from kunnafoni_models import registry
from kunnafoni_models.backend import ModelFileError
from kunnafoni_models.catalog.model_files import file_problems

if TYPE_CHECKING:
    from collections.abc import Iterable

models = typer.Typer(help="List models, import one from a checkpoint, teach one your own words.", no_args_is_help=True)
models.command("import")(import_model)
models.command("adapt")(adapt_model)
models.command("train")(train_model)


@models.command("list")
def list_models(
    *,
    everything: Annotated[bool, typer.Option("--all", help="The whole catalog instead, without a server.")] = False,
    models_dir: Annotated[Path | None, typer.Option("--models-dir", help="With --all: more models.")] = None,
    output: AnswerFormat = OutputFormat.TEXT,
    address: Address = None,
    local: Local = False,
) -> None:
    """List the server's models: state, licence, and measured quality of each direction."""
    if everything:
        list_catalog(models_dir=models_dir, output=output)
        return
    with connect(address, local=local) as client:
        found = client.models()
    if output is OutputFormat.JSON:
        typer.echo(MessageToJson(ListModelsResponse(models=found), ensure_ascii=False))
        return
    console = Console(highlight=False)
    for model in found:
        console.print(_table(model))


@models.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Identifier of the model.")],
    *,
    output: AnswerFormat = OutputFormat.TEXT,
    address: Address = None,
    local: Local = False,
) -> None:
    """Show one model of the server."""
    with connect(address, local=local) as client:
        found = next((model for model in client.models() if model.id == name), None)
    if found is None:
        raise NotFoundError(kind="model", name=name)
    if output is OutputFormat.JSON:
        typer.echo(MessageToJson(found, ensure_ascii=False))
    else:
        Console(highlight=False).print(_table(found))


@models.command("verify")
def verify(
    name: Annotated[str, typer.Argument(help="Identifier of the model.")] = "kunnafoni-270m",
    *,
    models_dir: Annotated[Path | None, typer.Option("--models-dir", help="Folder with further models.")] = None,
    output: AnswerFormat = OutputFormat.TEXT,
) -> None:
    """Check every file of a model on this machine against its size and sha256. Needs no server."""
    folder = models_dir or load_settings().models_dir
    entry = registry.catalog([folder] if folder else []).get(name)
    if entry is None:
        raise NotFoundError(kind="model", name=name)
    if not entry.files and entry.base:
        raise ModelFileError(f"{name} is not on this machine: kunnafoni models import {entry.base} --as {name}")
    wrong = [str(problem) for problem in file_problems(entry)]
    if output is OutputFormat.JSON:
        typer.echo(json.dumps({"id": entry.id, "revision": entry.revision, "problems": wrong}, ensure_ascii=False))
    else:
        typer.echo("\n".join(wrong) or f"{entry.id} {entry.revision}: {len(entry.files)} files are right")
    if wrong:
        raise typer.Exit(1)


def _table(model: Model) -> Table:
    state = ModelState.Name(model.state).removeprefix("MODEL_STATE_").lower()
    title = Text(f"{model.id} {model.revision}: {state} {model.state_detail}".strip())
    table = Table("task", "in use", "quality", title=title, title_justify="left", caption_justify="left")
    table.caption = Text(f"{model.licence.name}. {model.licence.summary}")
    for direction in model.directions:
        pair = f"{direction.source_language_code}>{direction.target_language_code}"
        table.add_row(pair, _yes(direction.in_use), _figures(direction.quality))
    for summary in model.summaries:
        table.add_row(f"summaries {summary.language_code}", _yes(summary.in_use), _figures(summary.quality))
    return table


def _yes(flag: bool) -> str:
    return "yes" if flag else ""


def _figures(quality: Iterable[Quality]) -> str:
    return (
        "\n".join(
            f"{figure.metric} {figure.score:.1f} ({figure.test_set}; {figure.decoding}; {figure.measured_by} "
            f"{figure.measure_date})"
            for figure in quality
        )
        or "not measured"
    )


def info(*, output: AnswerFormat = OutputFormat.TEXT, address: Address = None, local: Local = False) -> None:
    """Print the server's version, limits, languages and pairs."""
    with connect(address, local=local) as client:
        answer = client.server_info()
    if output is OutputFormat.JSON:
        typer.echo(MessageToJson(answer, ensure_ascii=False))
        return
    typer.echo(f"version    {answer.version}")
    typer.echo(f"languages  {', '.join(f'{language.code} ({language.english_name})' for language in answer.languages)}")
    typer.echo(f"pairs      {', '.join(map(_pair, answer.pairs)) or 'none yet'}")
    for field, value in answer.limits.ListFields():
        typer.echo(f"{field.name:<24} {value:>12,}")


def _pair(pair: LanguagePair) -> str:
    hops = " in two hops" if len(pair.model_ids) > 1 else ""
    return f"{pair.source_language_code}>{pair.target_language_code} by {'+'.join(dict.fromkeys(pair.model_ids))}{hops}"
