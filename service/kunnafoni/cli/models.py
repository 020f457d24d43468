"""`kunnafoni models` and `kunnafoni info`: what a server has, what the catalog knows, and how to add to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from rich.console import Console
from rich.table import Table

from kunnafoni.cli.catalog_table import list_catalog
from kunnafoni.cli.models_import import import_model
from kunnafoni.cli.options import Address, Json, connect
from kunnafoni.v1.model_pb2 import ListModelsResponse, Model, ModelState

models = typer.Typer(help="List models, or import one from a checkpoint.", no_args_is_help=True)
models.command("import")(import_model)


@models.command("list")
def list_models(
    *,
    everything: Annotated[bool, typer.Option("--all", help="The whole catalog instead, without a server.")] = False,
    models_dir: Annotated[Path | None, typer.Option("--models-dir", help="With --all: more models.")] = None,
    as_json: Json = False,
    address: Address = None,
) -> None:
    """List the server's models: state, licence, and measured quality of each direction."""
    if everything:
        list_catalog(models_dir=models_dir)
        return
    with connect(address) as client:
        found = client.models()
    if as_json:
        typer.echo(MessageToJson(ListModelsResponse(models=found), ensure_ascii=False))
        return
    console = Console(highlight=False)
    for model in found:
        console.print(_table(model))


def _table(model: Model) -> Table:
    state = ModelState.Name(model.state).removeprefix("MODEL_STATE_").lower()
    title = f"{model.id} {model.revision}: {state} {model.state_detail}".strip()
    table = Table("direction", "quality", "test set", title=title, title_justify="left", caption_justify="left")
    table.caption = f"{model.licence.name}. {model.licence.summary}"
    for each in model.directions:
        scores = "\n".join(f"{quality.metric} {quality.score:.1f}" for quality in each.quality) or "not measured"
        test_sets = "\n".join(quality.test_set for quality in each.quality)
        table.add_row(f"{each.source_language_code}>{each.target_language_code}", scores, test_sets)
    return table


def info(*, as_json: Json = False, address: Address = None) -> None:
    """Print the server's version, limits, languages and pairs."""
    with connect(address) as client:
        answer = client.server_info()
    if as_json:
        typer.echo(MessageToJson(answer, ensure_ascii=False))
        return
    typer.echo(f"version    {answer.version}")
    typer.echo(f"languages  {', '.join(f'{x.code} ({x.english_name})' for x in answer.languages)}")
    pairs = [f"{x.source_language_code}>{x.target_language_code} by {'+'.join(x.model_ids)}" for x in answer.pairs]
    typer.echo(f"pairs      {', '.join(pairs) or 'none yet'}")
    for field, value in answer.limits.ListFields():
        typer.echo(f"{field.name:<24} {value:>12,}")
