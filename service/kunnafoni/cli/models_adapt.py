"""`kunnafoni models adapt`: a model taught a newsroom's own translations, on its own machine."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kunnafoni.cli.options import check_files, language_code
from kunnafoni.config import load_settings
from kunnafoni.errors import NotFoundError
from kunnafoni_models import registry
from kunnafoni_models.extras import needs_extra

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.adaptation import Adapted
    from kunnafoni_models.training.corpus import Row

# Texts that are enough to tell the languages of a memory, and the share of those that were told which may be others:
# names and quotations in another language are in every archive.
_LOOKED_AT = 200
_MOST_OTHERS = 0.5
_ENOUGH_TOLD = 10


def adapt_model(
    memory: Annotated[list[Path], typer.Argument(help="Translation memories: .tmx, .tsv, .jsonl, also with .gz.")],
    *,
    name: Annotated[str, typer.Option("--as", help="What to call the model.")],
    minutes: Annotated[float, typer.Option("--minutes", min=0.01, help="Time to train, at most.")] = 30.0,
    epochs: Annotated[float, typer.Option("--epochs", min=0.01, help="Times through the memory, at most.")] = 2.0,
    source: Annotated[str | None, typer.Option("--from", "-f", help="Language of the sources.")] = None,
    target: Annotated[str | None, typer.Option("--to", "-t", help="Language of the translations.")] = None,
    one_way: Annotated[bool, typer.Option("--one-way", help="Teach no translation the other way round.")] = False,
    general: Annotated[
        Path | None, typer.Option("--general", help="Test set with a column a language, to see what else changes.")
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Model to start from.")] = "kunnafoni-270m",
    models_dir: Annotated[Path | None, typer.Option("--models-dir", help="Where to; else the setting.")] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Where to put the report; else with the model.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Install it even if it got worse.")] = False,
) -> None:
    """Teach a model your own translations, measure it, and add it to your models if it did not get worse.

    A tenth of the memory is held out to measure with. What the memory does not teach is kept by replaying the model's
    own answers. An interrupted adaptation goes on when it is called again.
    """
    folder = models_dir or load_settings().models_dir
    if folder is None:
        raise typer.BadParameter("say where your models are kept: --models-dir, or models_dir in kunnafoni.toml")
    if (source is None) != (target is None):
        raise typer.BadParameter("give both --from and --to, or neither if the memory names its languages")
    pair = (language_code(source), language_code(target)) if source and target else None
    entries = registry.catalog([folder] if folder.is_dir() else [])
    if model not in entries:
        raise NotFoundError(kind="model", name=model)
    if report:
        check_files([report], force=True)
    # The other commands need no torch.
    with needs_extra("train", "teaching a model"):
        from kunnafoni.cli.training_display import Display  # noqa: PLC0415
        from kunnafoni_models.training import heap  # noqa: PLC0415
        from kunnafoni_models.training.adapt import adapt  # noqa: PLC0415
        from kunnafoni_models.training.adaptation import Adaptation, Watch, adapting_options  # noqa: PLC0415

    heap.settle("kunnafoni")
    order = Adaptation(
        memories=memory,
        parent=entries[model],
        models_dir=folder,
        model_id=name,
        pair=pair,
        one_way=one_way,
        general=general,
        minutes=minutes,
        force=force,
        options=replace(adapting_options(), epochs=epochs),
    )
    with Display() as display:
        adapted = adapt(order, Watch(display.stage, _check_languages, display.progress, lambda: display.stop))
    _report(adapted, order_name=name, parent=entries[model], report=report, folder=folder)
    if adapted.entry is None:
        raise typer.Exit(1)


def _check_languages(rows: Sequence[Row]) -> None:
    """Refuse a memory whose texts are in other languages than it says; short and mixed ones are left in peace.

    Raises:
        TrainingError: Most texts of a side that were told are in another language.
    """
    from kunnafoni.text.language_id import UNDETERMINED, identify  # noqa: PLC0415
    from kunnafoni_models.training.errors import TrainingError  # noqa: PLC0415

    for language, side in zip(rows[0].task.split(">"), ("source", "target"), strict=True):
        texts: list[str] = [getattr(row, side) for row in rows[:: max(1, len(rows) // _LOOKED_AT)]]
        found = Counter(identify(text).language_code for text in texts)
        told = {code: count for code, count in found.items() if code != UNDETERMINED}
        wrong = sum(told.values()) - told.get(language, 0)
        if sum(told.values()) >= _ENOUGH_TOLD and wrong > _MOST_OTHERS * sum(told.values()):
            most = max(told, key=told.__getitem__)
            raise TrainingError(
                f"the memory's {side} texts should be {language}, and {told[most]} of {len(texts)} looked at are "
                f"{most}: check --from and --to, or the language tags of the file"
            )
        if found[UNDETERMINED] > (1 - _MOST_OTHERS / 2) * len(texts) >= _ENOUGH_TOLD:
            raise TrainingError(
                f"the memory's {side} texts should be {language}, and {found[UNDETERMINED]} of {len(texts)} looked at "
                "are in no language of the product (en, fr, bm)"
            )


def _report(adapted: Adapted, *, order_name: str, parent: CatalogEntry, report: Path | None, folder: Path) -> None:
    from rich.console import Console  # noqa: PLC0415

    from kunnafoni.cli.training_display import comparison_table  # noqa: PLC0415
    from kunnafoni.cli.training_report import training_page  # noqa: PLC0415
    from kunnafoni_models.training.log import Log  # noqa: PLC0415

    memory, outcome = adapted.memory, adapted.outcome
    facts = {
        "parent": f"{parent.id} {parent.revision}",
        "memory": f"{len(memory.learn):,} pairs {'-'.join(memory.pair)} to learn, {len(memory.held_out):,} held out",
        **{f"left out: {reason}": f"{count:,}" for reason, count in memory.dropped.items()},
        "replayed": f"{adapted.replayed:,} answers of the parent in the other directions",
        "trained": f"{outcome.steps:,} steps, {outcome.tokens:,} tokens, {outcome.seconds / 60:.1f} minutes, "
        f"{outcome.precision}, {outcome.kept:.0%} of the change kept",
        "data sha256": memory.fingerprint,
    }
    if adapted.entry:
        facts["licence"] = f"{adapted.entry.licence.name}. {adapted.entry.licence.summary}"
    page = training_page(
        order_name,
        facts=facts,
        comparisons=adapted.comparisons,
        objections=adapted.objections,
        log=Log(adapted.folder / "training.jsonl"),
    )
    path = report or adapted.folder / "report.html"
    path.write_text(page, "utf-8")
    for each, value in facts.items():
        typer.echo(f"{each}: {value}")
    Console(highlight=False).print(comparison_table(adapted.comparisons))
    typer.echo(f"report: {path}")
    for each in adapted.objections:
        typer.echo(f"worse: {each}", err=True)
    if adapted.entry is None:
        typer.echo(
            f"{order_name} is not installed because it got worse. The same command with --force installs what was "
            f"trained; else remove {adapted.folder}",
            err=True,
        )
    else:
        serve = f"kunnafoni serve --models-dir {folder}"
        routes = json.dumps(dict.fromkeys(adapted.comparisons[0].after.scores, order_name))
        typer.echo(f"serve it: {serve} --model {order_name}")
        typer.echo(
            f"or beside {parent.id}, for what it was taught and what it measured better in: "
            f"KUNNAFONI_ROUTES='{routes}' {serve} --model {parent.id}"
        )
