"""`kunnafoni jobs run-ray`: an archive through a Ray cluster instead of a server."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from kunnafoni.config import load_settings
from kunnafoni.jobs.ray_runner import RayJob, run_ray
from kunnafoni.languages import known_code
from kunnafoni.v1 import job_pb2


def run_on_ray(
    source: Annotated[str, typer.Argument(help="JSON lines or Parquet: any file or folder that Ray reads.")],
    sink: Annotated[str, typer.Argument(help="Folder for the results, in parts.")],
    *,
    to: Annotated[str, typer.Option("--to", "-t", help="Languages, with commas: fr,bm.")],
    source_language: Annotated[str, typer.Option("--from", "-f", help="Language of the texts; else detected.")] = "",
    address: Annotated[str | None, typer.Option(help="Ray cluster; `auto` finds it; none starts one here.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Actors, each with models of its own.")] = 2,
    batch_rows: Annotated[int, typer.Option(min=1, help="Rows that an actor works on at once.")] = 64,
    id_field: Annotated[str, typer.Option(help="Column of the ids; every row has one of its own.")] = "id",
    text_field: Annotated[str, typer.Option(help="Column of the texts.")] = "text",
    parquet: Annotated[bool, typer.Option("--parquet", help="Parquet in and out, whatever the names say.")] = False,
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="Model to load; repeatable.")] = None,
) -> None:
    """Translate a table on a Ray cluster. The same command again goes on where a broken run stopped.

    Each result row has the columns of the source, a column a language, its warnings, and `error`, empty if it is done.
    """
    targets = [known_code(tag) or "" for tag in to.split(",")]
    if "" in targets:
        raise typer.BadParameter(f"{to!r} has a language that is not known", param_hint="--to")
    options = job_pb2.JobOptions(target_language_codes=targets, source_language_code=source_language)
    spec = job_pb2.JobSpec(kind=job_pb2.JOB_KIND_TRANSLATE, options=options)
    job = RayJob(
        source=source,
        sink=sink,
        checkpoint=f"{sink.rstrip('/')}.checkpoint",
        spec=spec.SerializeToString(deterministic=True),
        id_column=id_field,
        text_column=text_field,
        parquet=parquet or source.endswith(".parquet"),
        workers=workers,
        batch_rows=batch_rows,
    )
    from kunnafoni.rpc.job_pipeline import pipeline_work  # noqa: PLC0415 - no other command here needs the pipeline

    settings = load_settings(models=tuple(model) if model else None)
    try:
        run_ray(partial(pipeline_work, settings), job, address=address)
    except ImportError as error:
        raise typer.BadParameter("Ray is not installed: pip install 'kunnafoni[ray]'") from error
