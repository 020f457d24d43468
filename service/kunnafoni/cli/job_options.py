"""What the commands of `kunnafoni jobs` share: the connection, names, labels, languages, and where results go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from kunnafoni.cli.job_messages import output_record
from kunnafoni.cli.options import check_files
from kunnafoni.client import JobClient
from kunnafoni.config import load_settings
from kunnafoni.documents.writing import SUFFIXES, OutputFormat, errors_path, output_path, write_results
from kunnafoni.languages import known_code
from kunnafoni.v1 import job_pb2

if TYPE_CHECKING:
    from kunnafoni.v1.job_pb2 import Job, JobSpec

NAME_PREFIX = "jobs/"
UNENDED = {job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING}
CANCELLED = {job_pb2.JOB_STATE_CANCELLING, job_pb2.JOB_STATE_CANCELLED}
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File for the results: .jsonl, .csv, .tmx, or .txt (one file per language)."),
]
Format = Annotated[
    OutputFormat | None, typer.Option("--format", help="How results are written, if the file's name does not say it.")
]


def connect_jobs(address: str | None) -> JobClient:
    """A client for the jobs of the configured server."""
    return JobClient(load_settings(server=address).server)


def job_name(text: str) -> str:
    """The name of a job that somebody may have written without `jobs/`."""
    return text if text.startswith(NAME_PREFIX) else NAME_PREFIX + text


def short_name(job: Job) -> str:
    """A job's identifier, as commands print and take it."""
    return job.name.removeprefix(NAME_PREFIX)


def labels_of(pairs: list[str] | None) -> dict[str, str]:
    """Read `KEY=VALUE` options.

    Raises:
        typer.BadParameter: one has no `=`.
    """
    if wrong := [pair for pair in pairs or [] if "=" not in pair]:
        raise typer.BadParameter(f"{wrong[0]!r} is not KEY=VALUE")
    return {key: value for key, _, value in (pair.partition("=") for pair in pairs or [])}


def targets_of(tags: str) -> list[str]:
    """Read `--to`: codes of languages, with commas between.

    Raises:
        typer.BadParameter: one is not known, or is there twice.
    """
    codes = [known_code(tag) or tag.strip() for tag in tags.split(",")]
    if wrong := [code for code in codes if not known_code(code)]:
        raise typer.BadParameter(f"{wrong[0]!r} is no language of this program", param_hint="--to")
    if len(set(codes)) < len(codes):
        raise typer.BadParameter(f"{tags!r} has a language twice", param_hint="--to")
    return codes


def source_of(tag: str) -> str:
    """Read `--from`: the code of a language, or empty for texts whose language is to be detected.

    Raises:
        typer.BadParameter: it is not known.
    """
    if tag and not known_code(tag):
        raise typer.BadParameter(f"{tag!r} is no language of this program", param_hint="--from")
    return known_code(tag) or ""


def check_output(output: Path | None, chosen: OutputFormat | None, spec: JobSpec, *, force: bool) -> OutputFormat:
    """Check that nothing is overwritten by accident, and choose the format to write the results of such a job in.

    Raises:
        typer.BadParameter: a file exists, its folder does not, its name says no format, or one without editions.
    """
    if output is None:
        if chosen in (OutputFormat.TEXT, OutputFormat.TMX):
            raise typer.BadParameter(f"{chosen} needs a file: give -o")
        return chosen or OutputFormat.JSONL
    output_format = chosen or SUFFIXES.get(output.suffix.lower())
    if output_format is None:
        raise typer.BadParameter(f"{output}: say how to write it with --format ({', '.join(OutputFormat)})")
    if output_format is OutputFormat.TMX and spec.kind == job_pb2.JOB_KIND_SUMMARIZE:
        raise typer.BadParameter(f"{output}: TMX holds translations, and these are editions")
    targets = spec.options.target_language_codes
    check_files([output_path(output, output_format, target) for target in targets], force=force)
    return output_format


def save_results(client: JobClient, job: Job, output: Path | None, output_format: OutputFormat) -> None:
    """Write the results that a job has, and say on standard error what was written."""
    options = job.spec.options
    full = output_format is OutputFormat.FULL
    records = (output_record(each, options, full=full) for each in client.results(job.name, include_items=True))
    done, failed = write_results(records, output, output_format, options.target_language_codes)
    console = Console(stderr=True, highlight=False)
    if job.state in UNENDED:
        console.print("The job still runs: these are its results up to now.", markup=False)
    if job.state in CANCELLED:
        console.print("The job was cancelled: these are the results that it had.", markup=False)
    if output:
        console.print(f"{done:,} results in {output}", markup=False, soft_wrap=True)
        if failed:
            console.print(f"{failed:,} errors in {errors_path(output)}", markup=False, soft_wrap=True)
