"""`kunnafoni evaluate`: models or servers on a test set: quality, speed and memory side by side."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from kunnafoni.cli.local_server import local_server
from kunnafoni.cli.options import check_files, language_code
from kunnafoni.cli.report import Result, html
from kunnafoni.cli.scores import summary_scores, translation_scores
from kunnafoni.client import Client
from kunnafoni.config import load_settings
from kunnafoni.languages import known_code
from kunnafoni_models import registry
from kunnafoni_models.catalog.entry import Figures, Quality, merged_scores
from kunnafoni_models.catalog.entry_reader import FIGURES_SUFFIX, read_figures
from kunnafoni_models.catalog.entry_writer import write_figures
from kunnafoni_models.extras import needs_extra

if TYPE_CHECKING:
    from collections.abc import Generator

    from kunnafoni.v1.translation_pb2 import Translation

_CALL = 50


def evaluate(
    *,
    source: Annotated[str, typer.Option("--from", "-f", help="Language of the source texts.")],
    to: Annotated[str, typer.Option("--to", "-t", help="Language of the references; the same one means summaries.")],
    sources: Annotated[Path | None, typer.Option("--source", help="Source texts, one a line.")] = None,
    references: Annotated[Path | None, typer.Option("--reference", help="References, one a line.")] = None,
    tsv: Annotated[
        Path | None,
        typer.Option("--tsv", help="Both, as the first two columns or those that a first line of codes names."),
    ] = None,
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="Model to measure; may be repeated.")] = None,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", "-a", help="Running server; may be repeated. What its cache holds counts as speed."),
    ] = None,
    models_dir: Annotated[Path | None, typer.Option("--models-dir", help="Folder with further models.")] = None,
    beam_size: Annotated[int, typer.Option("--beam", min=0, help="Hypotheses kept by the search; 0 is greedy.")] = 0,
    json_to: Annotated[Path | None, typer.Option("--json-to", help="Write all figures to this file.")] = None,
    html_to: Annotated[Path | None, typer.Option("--html-to", help="Write a report with a plot to this file.")] = None,
    write_catalog: Annotated[
        bool, typer.Option("--write-catalog", help="Store the figures beside the entries.")
    ] = False,
) -> None:
    """Measure models and servers on your own test set. The second and further ones are compared with the first."""
    with needs_extra("evaluate", "measuring models and servers"):
        import_module("sacrebleu")
        import_module("rouge_score.rouge_scorer")
    source, to = language_code(source), language_code(to)
    texts, wanted = _test_set(sources, references, tsv, (source, to))
    catalog = models_dir or load_settings().models_dir
    _check(model or [], address or [], catalog, write_catalog=write_catalog)
    check_files(filter(None, (json_to, html_to)), force=True)
    outputs: dict[str, list[str]] = {}
    seen: dict[str, tuple[float, float | None, int]] = {}
    for name in (*(model or ()), *(address or ())):
        with _server(name, ours=name in (model or ()), models_dir=catalog) as (client, process_id):
            started = time.monotonic()
            outputs[name], cached = _run(client, texts, source, to, beam_size)
            speed = sum(map(len, texts)) / (time.monotonic() - started)
            seen[name] = speed, None if process_id is None else _peak_mb(process_id), cached
    scored = (summary_scores if source == to else translation_scores)(outputs, wanted)
    results = [Result(name, scored[name], *seen[name]) for name in outputs]
    _print(results)
    title = f"{source}>{to}, {(tsv or sources or Path()).name}, {len(texts)} texts"
    if json_to:
        figures = {"test_set": title, "beam_size": beam_size, "systems": [asdict(result) for result in results]}
        json_to.write_text(json.dumps(figures, ensure_ascii=False, indent=1) + "\n", "utf-8")
    if html_to:
        html_to.write_text(html(title, results), "utf-8")
    if write_catalog and catalog:
        for result in results[: len(model or ())]:
            _store(catalog, result, (source, to), test_set=title, beam_size=beam_size)


def _check(models: list[str], addresses: list[str], catalog: Path | None, *, write_catalog: bool) -> None:
    """Refuse before anything is measured what would be refused after it."""
    if not models and not addresses:
        raise typer.BadParameter("name what to measure with --model or --address")
    if write_catalog and catalog is None:
        raise typer.BadParameter("--write-catalog needs --models-dir: the built-in catalog is not changed")
    from kunnafoni.translation.model_pool import entry_of  # noqa: PLC0415 - help shows without the server's packages

    entries = registry.catalog([catalog] if catalog and catalog.is_dir() else [])
    for name in models:
        entry_of(entries, name)


def _test_set(
    sources: Path | None, references: Path | None, tsv: Path | None, pair: tuple[str, str]
) -> tuple[list[str], list[str]]:
    if tsv:
        found = _table(tsv, pair)
    elif sources and references:
        found = _lines(sources), _lines(references)
    else:
        raise typer.BadParameter("give --source and --reference, or --tsv")
    if len(found[0]) != len(found[1]) or not found[0]:
        raise typer.BadParameter(f"there are {len(found[0])} source texts and {len(found[1])} references")
    if empty := next((number for number, texts in enumerate(zip(*found, strict=True), 1) if not all(texts)), None):
        raise typer.BadParameter(f"{tsv or sources}: text {empty} is empty, or its reference is")
    return found


def _table(path: Path, pair: tuple[str, str]) -> tuple[list[str], list[str]]:
    """The columns that a first line of language codes names, or the first two of a table without one."""
    rows = [line.split("\t") for line in _lines(path) if line.strip()]
    codes = [known_code(cell) for cell in rows[0]] if rows else []
    columns = [0, 1]
    if len(set(filter(None, codes))) > 1:
        if pair[0] == pair[1]:
            raise typer.BadParameter(
                f"{path} has one column {pair[0]}, which is no reference for itself: for summaries give articles and "
                "references as the first two columns, without a line of codes"
            )
        if missing := [code for code in pair if code not in codes]:
            raise typer.BadParameter(f"{path} has no column {missing[0]}, but {', '.join(rows[0])}")
        columns = [codes.index(code) for code in pair]
        del rows[0]
    if bad := next((number for number, row in enumerate(rows, 1) if len(row) <= max(columns)), None):
        raise typer.BadParameter(f"{path}: row {bad} has no column {max(columns) + 1}")
    return [row[columns[0]] for row in rows], [row[columns[1]] for row in rows]


def _lines(path: Path) -> list[str]:
    try:
        # Not `splitlines`, which takes characters within a line for ends of it.
        return path.read_text("utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{path} is not in UTF-8: save it as that") from error


@contextmanager
def _server(name: str, *, ours: bool, models_dir: Path | None) -> Generator[tuple[Client, int | None]]:
    """A client of the running server `name`, or of a new one that has the model `name` alone, and its process."""
    if ours:
        more = ("--models-dir", str(models_dir.absolute())) if models_dir else ()
        own = load_settings()
        # Without configured routes, which would put another model in the place of this one.
        settings = {"device": own.device, "threads": own.threads, "max_batch_sequences": own.max_batch_sequences}
        with (
            local_server("--model", name, *more, settings=settings) as server,
            Client(server.address, timeout_s=3600) as client,
        ):
            yield client, server.process.pid
    else:
        with Client(name, timeout_s=3600) as client:
            yield client, None


def _run(client: Client, texts: list[str], source: str, target: str, beam_size: int) -> tuple[list[str], int]:
    """What is made of each text, and how many segments the server had in its cache."""
    if source == target:
        asked = (client.summarize(text, targets=[target], source=source, key_points=0) for text in texts)
        editions = [answer.editions[0] for answer in asked]
        return [each.summary for each in editions], sum(each.usage.cached_segments for each in editions)
    found: list[Translation] = []
    for start in range(0, len(texts), _CALL):
        part = texts[start : start + _CALL]
        found += client.translate(part, target=target, source=source, beam_size=beam_size)
    return [each.text for each in found], sum(each.usage.cached_segments for each in found)


def _peak_mb(process_id: int) -> float | None:
    status = Path(f"/proc/{process_id}/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 / 1e6 if found else None


def _print(results: list[Result]) -> None:
    table = Table("system", *(score.metric for score in results[0].scores), "characters/s", "peak MB")
    for result in results:
        cells = [f"{s.value:.2f}" + ("" if s.p_value is None else f" (p {s.p_value:.3f})") for s in result.scores]
        memory = "–" if result.peak_mb is None else f"{result.peak_mb:.0f}"
        table.add_row(result.system, *cells, f"{result.characters_per_s:.0f}", memory)
    console = Console()
    console.print(table)
    for score in results[0].scores:
        console.print(f"{score.metric}: {score.signature}", markup=False, soft_wrap=True)
    for result in results:
        if result.cached_segments:
            told = f"{result.system}: {result.cached_segments} segments came from its cache, and its speed counts them"
            console.print(told, markup=False, soft_wrap=True)


def _store(folder: Path, result: Result, pair: tuple[str, str], *, test_set: str, beam_size: int) -> None:
    """Put the figures into a file beside the user's entries; those of other directions and metrics stay in it."""
    entry = registry.catalog([folder])[result.system]
    decoding = f"{entry.options.get('compute_type', entry.options.get('dtype', 'float32'))}, beam {max(1, beam_size)}"
    day = dt.datetime.now(dt.UTC).date()
    new = tuple(
        Quality(*pair, s.metric, round(s.value, 2), test_set, decoding, day, s.signature) for s in result.scores
    )
    path = folder / f"{entry.id}{FIGURES_SUFFIX}"
    before = read_figures(path) if path.exists() else None
    if before is None or before.fingerprint != entry.fingerprint:
        before = Figures(entry.id, entry.fingerprint)
    memory = before.memory_mb if result.peak_mb is None else round(result.peak_mb * 1e6 / 2**20)
    folder.mkdir(parents=True, exist_ok=True)
    write_figures(path, replace(before, memory_mb=memory, quality=merged_scores(before.quality, new)))
