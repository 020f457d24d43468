"""`kunnafoni jobs`: archives in and out of the server's batch jobs."""

from __future__ import annotations

from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from kunnafoni.cli.job_options import (
    Format,
    Output,
    check_output,
    connect_jobs,
    job_name,
    labels_of,
    save_results,
    short_name,
)
from kunnafoni.cli.job_progress import incomplete, show_progress, state_name, summary
from kunnafoni.cli.job_ray import run_on_ray
from kunnafoni.cli.job_submission import submit
from kunnafoni.cli.options import Address, AnswerFormat, Force, OutputFormat
from kunnafoni.v1 import job_pb2

jobs = typer.Typer(help="Translate or summarise whole archives in the background.", no_args_is_help=True)
jobs.command("submit")(submit)
jobs.command("run-ray")(run_on_ray)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Identifier, as `submit` and `list` print it.")]


@jobs.command("list")
def list_jobs(
    *,
    label: Annotated[list[str] | None, typer.Option("--label", help="Only jobs with KEY=VALUE; repeatable.")] = None,
    output: AnswerFormat = OutputFormat.TEXT,
    address: Address = None,
) -> None:
    """List the jobs, newest first."""
    with connect_jobs(address) as client:
        found = list(client.list(labels=labels_of(label)))
    if output is OutputFormat.JSON:
        typer.echo(MessageToJson(job_pb2.ListJobsResponse(jobs=found), ensure_ascii=False))
        return
    # Identifiers are for other commands, labels are anybody's text.
    table = Table(Column("job", no_wrap=True), "created", "to", "state", "items", "failed", "labels")
    for job in found:
        progress = job.progress
        table.add_row(
            short_name(job),
            job.create_time.ToDatetime().strftime("%Y-%m-%d %H:%M"),
            ",".join(job.spec.options.target_language_codes),
            state_name(job),
            f"{progress.done_items + progress.failed_items:,}/{progress.total_items:,}",
            f"{progress.failed_items:,}",
            Text(" ".join(f"{key}={value}" for key, value in sorted(job.spec.labels.items()))),
        )
    Console().print(table)


@jobs.command("show")
def show(job_id: JobId, *, output: AnswerFormat = OutputFormat.TEXT, address: Address = None) -> None:
    """Show a job and how far it is."""
    with connect_jobs(address) as client:
        job = client.get(job_name(job_id))
    if output is OutputFormat.JSON:
        typer.echo(MessageToJson(job, ensure_ascii=False))
        return
    typer.echo(summary(job))
    typer.echo(f"to        {', '.join(job.spec.options.target_language_codes)}")
    for name in ("create_time", "start_time", "end_time", "expire_time"):
        if job.HasField(name):
            typer.echo(f"{name.removesuffix('_time'):<9} {getattr(job, name).ToJsonString()}")
    for key, value in sorted(job.spec.labels.items()):
        typer.echo(f"label     {key}={value}")


@jobs.command("watch")
def watch(job_id: JobId, *, address: Address = None) -> None:
    """Follow a job to its end; Ctrl-C leaves it running. Exit code 1 says that items failed or it was cancelled."""
    with connect_jobs(address) as client:
        job = show_progress(client.watch(job_name(job_id)), job_id)
    if incomplete(job):
        raise typer.Exit(1)


@jobs.command("results")
def results(
    job_id: JobId,
    *,
    output: Output = None,
    output_format: Format = None,
    force: Force = False,
    address: Address = None,
) -> None:
    """Write the results that a job has, in the order of the input, to a file or standard output.

    Errors of failed items go to a file beside it, or to standard error. Exit code 1 says that there are some, or that
    the job was cancelled before it had all.
    """
    with connect_jobs(address) as client:
        job = client.get(job_name(job_id))
        chosen = check_output(output, output_format, job.spec, force=force)
        save_results(client, job, output, chosen)
    if incomplete(job):
        raise typer.Exit(1)


@jobs.command("cancel")
def cancel(job_id: JobId, *, address: Address = None) -> None:
    """Stop a job; the results that it has are kept."""
    with connect_jobs(address) as client:
        typer.echo(summary(client.cancel(job_name(job_id))))


@jobs.command("retry")
def retry(job_id: JobId, *, address: Address = None) -> None:
    """Run the failed items of a job again, and what a cancelled job has left."""
    with connect_jobs(address) as client:
        typer.echo(summary(client.retry(job_name(job_id))))


@jobs.command("delete")
def delete(job_id: JobId, *, address: Address = None) -> None:
    """Remove a job with its items and results, stopping it if it runs."""
    with connect_jobs(address) as client:
        client.delete(job_name(job_id))
