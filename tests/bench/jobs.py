"""Batch jobs: how fast they come in and go out, what they cost beside the bare engine, what kills cost.

    python tests/bench/jobs.py [--items 100000] [--kills 20]

1. A job of short items: submitted, worked through at no cost, read; items a second of each,
   peak memory of the server process, and how old the progress is that a watcher sees.
2. `kill -9` of the server at random moments of one job of 2,000 items: every item once, and the work that it took.

Writes bench-results/jobs.json. The server is `tests/service/jobs/job_server.py`: the job service with its store and
runner, on a work that costs nothing (1) or some milliseconds (2), so that it is the jobs that are measured.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from kunnafoni.errors import UnavailableError
from kunnafoni.job_client import JobClient
from kunnafoni.v1 import job_pb2
from tests.service.jobs.calls import spec, texts
from tests.service.jobs.job_process import JobProcess

RESULTS = Path("bench-results")
COMPLETION = job_pb2.JOB_RESULT_ORDER_COMPLETION


def memory_mb(process: JobProcess, field: str) -> float:
    """Resident memory of the server, `VmRSS` now or `VmHWM` at its peak, in MB."""
    assert process.process
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{process.process.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


def ready(client: JobClient) -> None:
    """Wait until the store is open."""
    while True:
        try:
            next(client.list(), None)
        except UnavailableError:
            time.sleep(0.05)
        else:
            return


def throughput(folder: Path, number: int) -> dict[str, float]:
    """Items a second in and out, and the server's memory."""
    process = JobProcess(f"sqlite:///{folder}/throughput/jobs.db", folder, delay_ms=0)
    process.start(log=False)
    figures: dict[str, float] = {"items": number}
    try:
        with JobClient(process.address) as client:
            ready(client)
            figures["memory before, MB"] = memory_mb(process, "VmRSS")
            started_s = time.perf_counter()
            items = (job_pb2.JobItem(id=f"id-{i}", text=f"The market opens at {i}.") for i in range(number))
            job = client.create(spec("fr", "bm"), items)
            figures["submitted, items/s"] = number / (time.perf_counter() - started_s)
            figures["memory after submission, MB"] = memory_mb(process, "VmHWM")
            started_s = seen_s = time.perf_counter()
            gaps: list[float] = []
            for _ in client.watch(job.id):
                gaps.append(time.perf_counter() - seen_s)
                seen_s = time.perf_counter()
            figures["worked through, items/s"] = number / (time.perf_counter() - started_s)
            figures["longest wait for progress, s"] = max(gaps)
            for name, order in (("input", job_pb2.JOB_RESULT_ORDER_INPUT), ("completion", COMPLETION)):
                started_s = time.perf_counter()
                read = sum(1 for _ in client.results(job.id, order=order))
                assert read == number
                figures[f"read in order of {name}, items/s"] = number / (time.perf_counter() - started_s)
            figures["peak memory, MB"] = memory_mb(process, "VmHWM")
    finally:
        process.kill()
    return figures


def kills(folder: Path, number: int, items: int = 2000) -> dict[str, float]:
    """Kill the server again and again; what is in the results, and how much was worked."""
    process = JobProcess(f"sqlite:///{folder}/kills/jobs.db", folder, delay_ms=40)
    moments = random.Random(20)
    process.start()
    try:
        with JobClient(process.address) as client:
            ready(client)
            job = client.create(spec("fr"), texts(items))
            for kill in range(1, number + 1):
                while len(process.worked()) < kill * items // (number + 1):
                    time.sleep(0.02)
                time.sleep(moments.random() * 0.1)
                process.kill()
                process.start()
            list(client.watch(job.id))
            indexes = [result.index for result in client.results(job.id)]
            assert indexes == list(range(items)), "an item was lost or came twice"
            completed = client.results(job.id, order=COMPLETION)
            assert sorted(result.index for result in completed) == indexes
    finally:
        process.kill()
    worked = len(process.worked())
    return {
        "items": items,
        "kills": number,
        "results, each item once": len(indexes),
        "items worked on": worked,
        "work beside an undisturbed run": worked / items,
        "items lost a kill": (worked - items) / number,
    }


def main() -> None:
    """Run both and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = {
            "throughput": throughput(Path(name), options.items),
            "kills": kills(Path(name), options.kills),
        }
    for part, figures in found.items():
        print(part)
        for what, figure in figures.items():
            print(f"  {what:<36} {figure:>12,.2f}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "jobs.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
