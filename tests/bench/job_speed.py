"""Jobs on the embedded model: throughput beside the raw backend's, and what interactive calls wait for meanwhile.

    python tests/bench/job_speed.py [throughput] [latency] [--contents 320] [--rounds 2] [--batch-sizes 16 32 64]

throughput  The texts of `traffic.py` as one job of a real server, from CreateJob to the end of WatchJob, in turns with
            the raw backend of `raw.py`: the sequences that the service runs for the same texts, offline, in the best
            batches. With and without fallback decoding and pivots.
latency     One-line calls at random moments while a job runs: how long each waited
            (`Usage.queue_time`), in batch times. A batch time is the median of the job's full batches. The
            server is in this process, so that batches can be watched.

Caches are off. Adds to bench-results/job_speed.json. Takes about 7 minutes on 2 quiet cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

sys.path.insert(0, str(Path(__file__).parents[2]))

from kunnafoni.app.model_loading import load_models, make_engines
from kunnafoni.cli.local_server import local_server
from kunnafoni.cli.serve import compose
from kunnafoni.client import JobClient
from kunnafoni.config import Settings
from kunnafoni.v1 import job_pb2, job_pb2_grpc, translation_pb2_grpc
from tests.bench.limits import FULL_BATCH, Batches
from tests.bench.raw import RawBackend
from tests.bench.traffic import Traffic, characters
from tests.conftest import Served
from tests.service.jobs.calls import create_job, usable, wait_for_end
from tests.service.jobs.calls import requests as create_requests

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from kunnafoni.v1.translation_pb2 import TranslateRequest

RESULTS = Path("bench-results")
CALL_EVERY_S = 2.0
SPEC = job_pb2.JobSpec(kind=job_pb2.JOB_KIND_TRANSLATE, options=job_pb2.JobOptions(target_language_codes=["fr"]))
Figures = dict[str, Any]


def items_of(work: Sequence[TranslateRequest]) -> list[job_pb2.JobItem]:
    """The requests as items, each with its own languages."""
    return [
        job_pb2.JobItem(
            text=request.contents[0],
            options=job_pb2.JobOptions(
                source_language_code=request.source_language_code,
                target_language_codes=[request.target_language_code],
            ),
        )
        for request in work
    ]


async def throughput(traffic: Traffic, options: argparse.Namespace) -> Figures:
    work = traffic.requests(options.contents)
    size = sum(map(characters, work))
    raw = await RawBackend.open()
    sequences = await raw.sequences(work)
    plain = await raw.sequences(work, plain=True)
    seconds = {number: raw.seconds(sequences, number) for number in options.batch_sizes}
    best = min(seconds, key=lambda number: seconds[number])
    rounds: list[tuple[float, float, float]] = []
    for _ in range(options.rounds):
        with local_server() as server:  # with a store of its own: an old one would answer from the round before
            job_s = await asyncio.to_thread(_run_job, server.address, items_of(work))
        rounds.append((job_s, raw.seconds(sequences, best), raw.seconds(plain, best)))
    await raw.close()
    return {
        "characters": size,
        "sequences": len(sequences),
        "sequences of fallback decoding and pivots": len(sequences) - len(plain),
        "raw, characters/s by batch size": {number: size / elapsed_s for number, elapsed_s in seconds.items()},
        "job, characters/s": size / statistics.median(job_s for job_s, _, _ in rounds),
        "of raw (wanted: 0.95)": statistics.median(raw_s / job_s for job_s, raw_s, _ in rounds),
        "of raw without second tries and pivots": statistics.median(plain_s / job_s for job_s, _, plain_s in rounds),
        "of raw, each round": [raw_s / job_s for job_s, raw_s, _ in rounds],
    }


def _run_job(address: str, items: list[job_pb2.JobItem]) -> float:
    with JobClient(address) as client:
        began_s = time.monotonic()
        job = client.create(SPEC, items)
        *_, last = client.watch(job.name)
        assert last.progress.done_items == len(items), last.progress
        return time.monotonic() - began_s


async def latency(traffic: Traffic, options: argparse.Namespace) -> Figures:
    with tempfile.TemporaryDirectory() as data_dir:
        return await _latency(traffic, options, Settings(address="localhost:0", cache_bytes=0, data_dir=Path(data_dir)))


async def _latency(traffic: Traffic, options: argparse.Namespace, settings: Settings) -> Figures:
    engines = make_engines(settings)
    model_pool = load_models(settings, engines)
    application, [server] = compose(settings, model_pool)
    address = await server.start()
    await engines.wait()
    await server.serve()
    application.start()
    await usable(application.job_service)
    waits_s: list[float] = []
    latencies_s: list[float] = []
    async with grpc.aio.insecure_channel(address) as channel:
        batches = Batches(Served(server, model_pool, engines, channel, address))
        jobs: Any = job_pb2_grpc.JobServiceStub(channel)
        calls: Any = translation_pb2_grpc.TranslationServiceStub(channel)
        work = items_of(traffic.requests(options.contents))
        job = (await create_job(jobs, create_requests(SPEC, work))).job
        ended = asyncio.create_task(wait_for_end(jobs, job.name))
        for pause_s in traffic.pauses_s(1 / CALL_EVERY_S):
            await asyncio.sleep(pause_s)
            began_s = time.monotonic()
            answer = await calls.Translate(traffic.request(1))
            if ended.done():
                break
            latencies_s.append(time.monotonic() - began_s)
            waits_s.append(answer.translations[0].usage.queue_time.ToNanoseconds() / 1e9)
        await ended
    await server.stop(0)
    await application.stop()
    await engines.close()
    full_s = [elapsed_s for sequences, elapsed_s in batches.times_s if sequences >= FULL_BATCH]
    batch_s = statistics.median(full_s)
    return {
        "batch, s": batch_s,
        "longest batch, s": max(full_s),
        "calls": len(waits_s),
        "median wait, batch times": statistics.median(waits_s) / batch_s,
        "longest wait, batch times (wanted: 2)": max(waits_s) / batch_s,
        "longest wait, s": max(waits_s),
        "median latency, s": statistics.median(latencies_s),
        "longest latency, s": max(latencies_s),
    }


CHECKS: dict[str, Callable[..., Coroutine[Any, Any, Figures]]] = {"throughput": throughput, "latency": latency}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="check", help=", ".join(CHECKS))
    parser.add_argument("--contents", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[16, 32, 64], help="of the raw backend, to try")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    options = parser.parse_args()
    os.environ |= {"KUNNAFONI_CACHE_BYTES": "0"}
    path = RESULTS / "job_speed.json"
    figures: Figures = json.loads(path.read_text()) if path.exists() else {}
    for name in options.checks or CHECKS:
        found = asyncio.run(CHECKS[name](Traffic(options.shared), options))
        figures[name] = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "contents": options.contents} | found
        print(name, json.dumps(figures[name], indent=1), flush=True)
        RESULTS.mkdir(exist_ok=True)
        path.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
