"""A server of nothing but jobs, with a work that can be watched: what a test or benchmark starts, kills and counts.

    python -m tests.service.jobs.job_server URL [--log FILE] [--delay-ms N] [--lease-s N]

Every item is answered with its text in capitals; its number goes to the log before the work on it, a line each. A text
that holds FAIL fails, until the file FILE.repaired is there; one that holds KILL ends the process as a crash does.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import os
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc

from kunnafoni.errors import ItemCrashesServersError, UndetectedLanguageError
from kunnafoni.jobs.runner import RunnerOptions
from kunnafoni.jobs.service import JobService
from kunnafoni.jobs.work import ClaimedItem, Outcome, Work
from kunnafoni.rpc.interceptors import CallInterceptor
from kunnafoni.rpc.jobs import JobServicer
from kunnafoni.rpc.requests import Limits
from kunnafoni.status import to_status
from kunnafoni.v1 import job_pb2, job_pb2_grpc, model_pb2, model_pb2_grpc
from tests.service.jobs.calls import usable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

WorkT = TypeVar("WorkT", bound=Work)
BATCH_ROWS = 8
IN_FLIGHT = 64
LIMITS = Limits(
    max_contents=1000,
    max_content_code_points=20_000,
    max_call_code_points=500_000,
    max_message_bytes=8 * 1024 * 1024,
    max_beam_size=4,
)


@dataclass
class CapitalsWork:
    """Answers with capitals, one batch at a time, and remembers what it was asked."""

    delay_s: float = 0.0
    log: Path | None = None
    revision: str = "1"
    done: list[int] = field(default_factory=list[int])
    repaired: bool = False
    _model: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(BATCH_ROWS))

    def give_up(self, item: ClaimedItem) -> Outcome:
        result = job_pb2.JobResult()
        result.error.CopyFrom(to_status(ItemCrashesServersError(crash_count=item.crash_count)))
        return Outcome(item, body=result.SerializeToString(), failed=True)

    def fingerprints(self, items: Sequence[ClaimedItem]) -> list[bytes]:
        return [hashlib.blake2b(item.spec + item.body + self.revision.encode()).digest()[:16] for item in items]

    async def run(self, item: ClaimedItem) -> Outcome:
        async with self._model:
            self.done.append(item.position)
            if self.log:
                with self.log.open("a") as log:
                    log.write(f"{item.position}\n")
            await asyncio.sleep(self.delay_s)
        text = job_pb2.JobItem.FromString(item.body).text
        if "KILL" in text:
            os.kill(os.getpid(), signal.SIGKILL)
        result = job_pb2.JobResult()
        if "FAIL" in text and not self.repaired and not (self.log and self.log.with_suffix(".repaired").exists()):
            result.error.CopyFrom(to_status(UndetectedLanguageError("text", "und", 0.1)))
            return Outcome(item, body=result.SerializeToString(), failed=True)
        for target in job_pb2.JobSpec.FromString(item.spec).options.target_language_codes:
            made = result.translations.add(text=f"{target}:{text.upper()}", source_language_code="en")
            segment = made.segments.add()
            segment.source_span.end, segment.target_span.end = len(text), len(made.text)
        return Outcome(
            item,
            body=result.SerializeToString(),
            segments=len(result.translations),
            fingerprint=self.fingerprints([item])[0],
        )


class LimitsServicer(model_pb2_grpc.ModelServiceServicer):
    """Tells the limits, which is all that the command line asks."""

    async def GetServerInfo(self, request: object, context: object) -> model_pb2.GetServerInfoResponse:  # noqa: ARG002, N802
        limits = model_pb2.Limits(max_content_code_points=LIMITS.max_content_code_points)
        return model_pb2.GetServerInfoResponse(limits=limits)

    async def ListModels(self, request: object, context: object) -> model_pb2.ListModelsResponse:  # noqa: ARG002, N802
        return model_pb2.ListModelsResponse()


@dataclass(frozen=True)
class Running(Generic[WorkT]):
    """A server in this process."""

    address: str
    job_service: JobService
    work: WorkT
    stub: job_pb2_grpc.JobServiceAsyncStub


@asynccontextmanager
async def serve(
    url: str,
    work: WorkT,
    *,
    runner_options: RunnerOptions | None = None,
    address: str = "localhost:0",
    ready: bool = True,
) -> AsyncGenerator[Running[WorkT]]:
    """Serve jobs in this process; with `ready` not before the store is open."""
    runner_options = runner_options or RunnerOptions()
    job_service = JobService(url, work, runner_options)
    server = grpc.aio.server(interceptors=(CallInterceptor(),))
    servicer = JobServicer(job_service, LIMITS, expiry_days=runner_options.expiry_days)
    job_pb2_grpc.add_JobServiceServicer_to_server(servicer, server)
    model_pb2_grpc.add_ModelServiceServicer_to_server(LimitsServicer(), server)
    port = server.add_insecure_port(address)
    await server.start()
    job_service.start()
    try:
        if ready:
            await usable(job_service)
        options: list[tuple[str, Any]] = [("grpc.max_receive_message_length", -1)]
        async with grpc.aio.insecure_channel(f"localhost:{port}", options=options) as channel:
            stub: Any = job_pb2_grpc.JobServiceStub(channel)
            yield Running(f"localhost:{port}", job_service, work, stub)
    finally:
        await job_service.stop()
        await server.stop(0)


async def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--lease-s", type=float, default=30.0)
    parser.add_argument("--address", default="localhost:0")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    work = CapitalsWork(delay_s=options.delay_ms / 1000, log=options.log)
    runner_options = RunnerOptions(lease_s=options.lease_s, max_items=IN_FLIGHT)
    async with serve(options.url, work, runner_options=runner_options, address=options.address, ready=False) as running:
        print(f"listening on {running.address}", flush=True)  # noqa: T201 - read by whoever started it
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(main())
