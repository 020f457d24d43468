"""`kunnafoni jobs submit`: files to a job."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from kunnafoni.cli.job_messages import item_message
from kunnafoni.cli.job_options import (
    Format,
    Output,
    check_output,
    connect_jobs,
    labels_of,
    save_results,
    short_name,
    source_of,
    targets_of,
)
from kunnafoni.cli.job_progress import incomplete, show_progress
from kunnafoni.cli.options import Address, Force, connect
from kunnafoni.documents.lines import Problem
from kunnafoni.documents.reading import Fields, Reader
from kunnafoni.documents.records import InputError, InputFormat
from kunnafoni.v1 import job_pb2, summarization_pb2, translation_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.documents.values import InputItem

MAX_PROBLEMS_SHOWN = 20


class _ProblemReport:
    """Lets items through and reports problems on standard error, the first of them one by one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.problems = 0

    def items_of(self, entries: Iterator[InputItem | Problem]) -> Iterator[InputItem]:
        for entry in entries:
            if not isinstance(entry, Problem):
                yield entry
                continue
            self.problems += 1
            if self.problems <= MAX_PROBLEMS_SHOWN:
                self._console.print(f"left out: {entry.place} {entry.message}", markup=False, soft_wrap=True)

    def finish(self) -> None:
        if self.problems > MAX_PROBLEMS_SHOWN:
            self._console.print(f"left out: {self.problems - MAX_PROBLEMS_SHOWN:,} more")


def submit(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="JSONL, CSV, TSV, text or Markdown files, with --summarize HTML too, or folders; - is standard input."
        ),
    ],
    *,
    to: Annotated[str, typer.Option("--to", "-t", help="Languages, with commas: fr,bm.")],
    source: Annotated[str, typer.Option("--from", "-f", help="Language of the texts; detected if not given.")] = "",
    summarize: Annotated[
        bool, typer.Option("--summarize", help="Make editions of articles, not translations.")
    ] = False,
    length: Annotated[str, typer.Option(help="Of summaries: short, medium or long.")] = "medium",
    key_points: Annotated[int, typer.Option(min=0, max=7, help="Of each edition.")] = 3,
    beam_size: Annotated[int, typer.Option("--beam", min=0, help="Hypotheses kept by the search; 0 is greedy.")] = 0,
    input_format: Annotated[InputFormat | None, typer.Option(help="Of all files; else by their names.")] = None,
    id_field: Annotated[str, typer.Option(help="Field or column of the ids.")] = "id",
    text_field: Annotated[str, typer.Option(help="Field or column of the texts to translate.")] = "text",
    headline_field: Annotated[str, typer.Option(help="Field or column of the headlines to summarise.")] = "headline",
    body_field: Annotated[str, typer.Option(help="Field or column of the articles to summarise.")] = "body",
    language_field: Annotated[str, typer.Option(help="Field or column of the languages.")] = "language",
    label: Annotated[
        list[str] | None, typer.Option("--label", help="KEY=VALUE to find the job by; repeatable.")
    ] = None,
    request_id: Annotated[str, typer.Option(help="Makes it safe to submit again: the same job is made once.")] = "",
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Follow the job to its end; with -o write its results.")
    ] = False,
    output: Output = None,
    output_format: Format = None,
    force: Force = False,
    address: Address = None,
) -> None:
    """Submit files as a job and print its identifier.

    Lines that cannot be read are reported on standard error and left out. Exit code 1 says that something was left out
    or failed, or that the job was cancelled meanwhile.
    """
    if output and not wait:
        raise typer.BadParameter("-o needs --wait; later, `kunnafoni jobs results JOB -o FILE` writes them")
    options = job_pb2.JobOptions(target_language_codes=targets_of(to), source_language_code=source_of(source))
    if summarize:
        options.length = _length(length)
        options.key_points = key_points
    elif beam_size:
        options.decoding.CopyFrom(translation_pb2.Decoding(beam_size=beam_size))
    kind = job_pb2.JOB_KIND_SUMMARIZE if summarize else job_pb2.JOB_KIND_TRANSLATE
    spec = job_pb2.JobSpec(kind=kind, options=options, labels=labels_of(label))
    chosen_format = check_output(output, output_format, spec, force=force)
    with connect(address) as server:
        limits = server.server_info().limits
    fields = Fields(id=id_field, text=text_field, headline=headline_field, body=body_field, language=language_field)
    reader = Reader(
        articles=summarize, input_format=input_format, fields=fields, max_code_points=limits.max_content_code_points
    )
    report = _ProblemReport(Console(stderr=True, highlight=False))
    with connect_jobs(address) as client:
        try:
            items = (item_message(item, article=summarize) for item in report.items_of(reader.read(files)))
            job = client.create(spec, items, request_id=request_id or uuid.uuid4().hex)
        except InputError as error:
            raise typer.BadParameter(str(error)) from error
        finally:
            report.finish()
        typer.echo(short_name(job))
        if wait:
            job = show_progress(client.watch(job.name), short_name(job))
            if output:
                save_results(client, job, output, chosen_format)
    if report.problems or (wait and incomplete(job)):
        raise typer.Exit(1)


def _length(name: str) -> summarization_pb2.SummaryLength.ValueType:
    try:
        return summarization_pb2.SummaryLength.Value(f"SUMMARY_LENGTH_{name.upper()}")
    except ValueError as error:
        raise typer.BadParameter(f"{name!r} is not short, medium or long", param_hint="--length") from error
