"""`kunnafoni jobs run-ray`: an archive through a Ray cluster instead of a server."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kunnafoni.cli.job_options import source_of, targets_of
from kunnafoni.config import load_settings
from kunnafoni.jobs.cluster.runner import RayJob, run_ray
from kunnafoni.jobs.values import JobKind, JobOptions, JobSpec

if TYPE_CHECKING:
    from kunnafoni.config import Settings


def run_on_ray(
    source: Annotated[str, typer.Argument(help="JSON lines or Parquet: any file or folder that Ray reads.")],
    sink: Annotated[str, typer.Argument(help="Folder for the results, in parts.")],
    *,
    to: Annotated[str, typer.Option("--to", "-t", help="Languages, with commas: fr,bm.")],
    source_language: Annotated[str, typer.Option("--from", "-f", help="Language of the texts; else detected.")] = "",
    address: Annotated[str | None, typer.Option(help="Ray cluster; `auto` finds it; none starts one here.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Actors, each with models of its own.")] = 2,
    batch_rows: Annotated[
        int, typer.Option(min=1, help="Rows of an actor at once, and of a part of the results.")
    ] = 256,
    id_field: Annotated[str, typer.Option(help="Field or column of the ids; no two rows have the same.")] = "id",
    text_field: Annotated[str, typer.Option(help="Field or column of the texts.")] = "text",
    parquet: Annotated[bool, typer.Option("--parquet", help="Parquet in and out, whatever the names say.")] = False,
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="Model to load; repeatable.")] = None,
) -> None:
    """Translate a table on a Ray cluster. The same command again goes on where a broken run stopped.

    Each result row has the columns of the source, for each language its text and warnings, and `error`, empty if it
    succeeded.
    Exit code 1 says that there are rows with an error.
    """
    options = JobOptions(targets=tuple(targets_of(to)), source=source_of(source_language) or None)
    settings = load_settings(models=tuple(model) if model else None)
    # Imported here: no other command of jobs needs the pipeline.
    from kunnafoni.app.pipeline import loaded_processor  # noqa: PLC0415

    job = RayJob(
        source=_path(source),
        sink=_path(sink),
        spec=JobSpec(kind=JobKind.TRANSLATE, options=options),
        models=_models(settings),
        id_column=id_field,
        text_column=text_field,
        parquet=parquet or source.endswith(".parquet") or any(Path(source).glob("**/*.parquet")),
        workers=workers,
        batch_rows=batch_rows,
        max_code_points=settings.max_content_code_points,
    )
    failed = run_ray(partial(loaded_processor, settings), job, address=address)
    if failed:
        typer.echo(f"{failed:,} rows failed: the column `error` of the results says why.", err=True)
        raise typer.Exit(1)


def _path(name: str) -> str:
    """A URL as it is; a path made whole, because the cluster's processes have folders of their own."""
    return name if "://" in name else str(Path(name).absolute())


def _models(settings: Settings) -> tuple[str, ...]:
    """The models that the settings name, and what else results depend on.

    Raises:
        CatalogError: one is not in the catalog.
    """
    from kunnafoni.translation.model_pool import entry_of  # noqa: PLC0415
    from kunnafoni_models import registry  # noqa: PLC0415

    entries = registry.catalog([settings.models_dir] if settings.models_dir else [])
    models = [f"{name}@{entry_of(entries, name).fingerprint}" for name in settings.models_to_load]
    return (*models, f"{settings.fallback_decoding=} {settings.pivots=} {settings.routes=}")
