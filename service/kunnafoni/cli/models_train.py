"""`kunnafoni models train`: a model made by its recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kunnafoni_models.extras import needs_extra


def train_model(
    recipe: Annotated[Path, typer.Argument(help="Recipe, as embedded/RECIPE.toml.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder of the run and, when it is done, of the model.")],
    data: Annotated[Path | None, typer.Option("--data", help="Folder of the texts; else the recipe's own.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
) -> None:
    """Train, export and measure a model, and report on it."""
    # The other commands need no torch.
    with needs_extra("train", "training a model"):
        from kunnafoni.cli.training_display import Display, comparison_table  # noqa: PLC0415
        from kunnafoni.cli.training_report import training_page  # noqa: PLC0415
        from kunnafoni_models.training import heap  # noqa: PLC0415
        from kunnafoni_models.training.adaptation import Watch  # noqa: PLC0415
        from kunnafoni_models.training.follow import follow  # noqa: PLC0415
        from kunnafoni_models.training.log import Log  # noqa: PLC0415
        from kunnafoni_models.training.recipe import read_recipe  # noqa: PLC0415

    heap.settle("kunnafoni")
    ordered = read_recipe(recipe, data=data)
    with Display() as display:
        watch = Watch(display.stage, on_progress=display.progress, should_stop=lambda: display.stop)
        done = follow(ordered, out, watch, resume=resume)
    outcome, entry = done.outcome, done.entry
    facts = {
        "model": f"{entry.id} {entry.revision}",
        "start": ordered.start,
        "rows": f"{done.rows:,}",
        **{f"left out: {reason}": f"{count:,}" for reason, count in done.dropped.items()},
        "steps, tokens": f"{outcome.steps:,}, {outcome.tokens:,}",
        "time": f"{outcome.seconds / 60:.1f} minutes, {outcome.precision}",
        "licence": entry.licence.name,
    }
    report = out / "report.html"
    page = training_page(
        f"{entry.id} {entry.revision}",
        facts=facts,
        comparisons=done.comparisons,
        objections=(),
        log=Log(out / "training.jsonl"),
    )
    report.write_text(page, "utf-8")
    for name, value in facts.items():
        typer.echo(f"{name}: {value}")
    if done.comparisons:
        display.console.print(comparison_table(done.comparisons))
    typer.echo(f"report: {report}\nserve it: kunnafoni serve --models-dir {out} --model {entry.id}")
