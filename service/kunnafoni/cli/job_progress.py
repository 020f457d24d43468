"""A job's progress on the terminal: a bar where there is one, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from kunnafoni.v1 import job_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kunnafoni.v1.job_pb2 import Job

LINE_EVERY_S = 10.0


def show_progress(jobs: Iterable[Job], job_id: str) -> Job:
    """Show the progress of a job on standard error until it has ended; returns the job as it is then.

    Ctrl-C leaves the job alone: the command says how to come back and exits with 130.
    """
    console = Console(stderr=True, highlight=False)
    try:
        return _bar(jobs, console) if console.is_terminal else _lines(jobs, console)
    except KeyboardInterrupt:
        console.print(f"The job goes on. Come back with: kunnafoni jobs watch {job_id}", markup=False, soft_wrap=True)
        raise typer.Exit(130) from None


def summary(job: Job) -> str:
    """A job in one line."""
    progress = job.progress
    settled = progress.done_items + progress.failed_items
    parts = [f"{state_name(job)}: {settled:,} of {progress.total_items:,} items"]
    if progress.failed_items:
        parts.append(f"{progress.failed_items:,} failed")
    if progress.reused_items:
        parts.append(f"{progress.reused_items:,} from earlier results")
    if progress.done_segments:
        parts.append(f"{progress.done_segments:,} segments")
    if progress.items_per_second:
        parts.append(f"{progress.items_per_second:,.1f} items/s")
    if progress.HasField("remaining_time"):
        parts.append(f"{duration(progress.remaining_time.seconds)} left")
    return ", ".join(parts)


def incomplete(job: Job) -> bool:
    """Whether items of a job failed, or were never worked on because it was cancelled."""
    return job.state in {job_pb2.JOB_STATE_CANCELLING, job_pb2.JOB_STATE_CANCELLED} or job.progress.failed_items > 0


def state_name(job: Job) -> str:
    """The state of a job as people write it."""
    return job_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_").lower().replace("_", " ")


def duration(seconds: int) -> str:
    """Seconds as `1:02:03` or `2:03`."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _bar(jobs: Iterable[Job], console: Console) -> Job:
    last = job_pb2.Job()
    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        for last in jobs:
            numbers = last.progress
            progress.update(
                task,
                total=numbers.total_code_points,
                completed=numbers.settled_code_points,
                description=summary(last),
            )
    console.print(summary(last), markup=False, soft_wrap=True)
    return last


def _lines(jobs: Iterable[Job], console: Console) -> Job:
    last = job_pb2.Job()
    printed_s = float("-inf")
    for last in jobs:
        if time.monotonic() - printed_s >= LINE_EVERY_S and not last.HasField("end_time"):
            console.print(summary(last), markup=False, soft_wrap=True)
            printed_s = time.monotonic()
    console.print(summary(last), markup=False, soft_wrap=True)
    return last
