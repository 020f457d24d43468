"""Batch jobs: how fast they come in and go out, and what kills cost.

    python tests/bench/jobs.py [throughput] [kills] [shared_kills] [--items 100000] [--kills 20]

throughput    A job of short items: submitted, worked through at no cost, read; items a second of each, memory of the
              server process, and how long a watcher goes without news.
kills         `kill -9` of the server at random moments of one job of 2,000 items: every item once, and the work that
              it took.
shared_kills  The same with two servers on one PostgreSQL, one of which is killed each time.

Without names all of them run. Writes bench-results/jobs.json. The server is `tests/service/jobs/job_server.py`: the job
service with its store and runner, on a work that costs nothing or, to be killed in, some milliseconds, so that it is
the jobs that are measured.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from kunnafoni.client import JobClient
from kunnafoni.errors import UnavailableError
from kunnafoni.v1 import job_pb2
from tests.service.jobs.calls import spec, texts
from tests.service.jobs.job_process import JobProcess
from tests.service.jobs.postgres import new_database, postgres_server, programs

RESULTS = Path("bench-results")
COMPLETION = job_pb2.JOB_RESULT_ORDER_COMPLETION
KILLED_ITEMS = 2_000
Check = Callable[[Path, int], dict[str, float]]


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
            for _ in client.watch(job.name):
                gaps.append(time.perf_counter() - seen_s)
                seen_s = time.perf_counter()
            figures["worked through, items/s"] = number / (time.perf_counter() - started_s)
            figures["longest wait for progress, s"] = max(gaps)
            for name, order in (("input", job_pb2.JOB_RESULT_ORDER_INPUT), ("completion", COMPLETION)):
                started_s = time.perf_counter()
                read = sum(1 for _ in client.results(job.name, order=order))
                assert read == number
                figures[f"read in order of {name}, items/s"] = number / (time.perf_counter() - started_s)
            figures["peak memory, MB"] = memory_mb(process, "VmHWM")
    finally:
        process.kill()
    return figures


def kills(folder: Path, number: int) -> dict[str, float]:
    """Kill the only server again and again."""
    return _kill(number, [JobProcess(f"sqlite:///{folder}/kills/jobs.db", folder, delay_ms=40)])


def shared_kills(folder: Path, number: int) -> dict[str, float]:
    """Kill one of two servers again and again; what it had claimed is worked on when its lease has ended."""
    found = programs()
    assert found, "no PostgreSQL server on this machine"
    with postgres_server(found) as server:
        url = new_database(server, "jobs")
        return _kill(number, [JobProcess(url, folder, delay_ms=200, lease_s=2.0) for _ in range(2)])


def _kill(number: int, servers: list[JobProcess]) -> dict[str, float]:
    """Kill the last of `servers`; what is in the results, and how much all have worked."""
    moments, victim = random.Random(20), servers[-1]

    def worked() -> int:
        return sum(len(server.worked()) for server in servers)

    try:
        for server in servers:
            server.start()
        with JobClient(victim.address) as client:
            ready(client)
            job = client.create(spec("fr"), texts(KILLED_ITEMS))
            for kill in range(1, number + 1):
                while worked() < kill * KILLED_ITEMS // (number + 1):
                    time.sleep(0.02)
                time.sleep(moments.random() * 0.1)
                victim.kill()
                victim.start()
            list(client.watch(job.name))
            indexes = [result.index for result in client.results(job.name)]
            assert indexes == list(range(KILLED_ITEMS)), "an item was lost or came twice"
            completed = client.results(job.name, order=COMPLETION)
            assert sorted(result.index for result in completed) == indexes
    finally:
        for server in servers:
            server.kill()
    shares = {f"items worked on by server {n}": len(server.worked()) for n, server in enumerate(servers, 1)}
    return {
        "items": KILLED_ITEMS,
        "kills": number,
        "results, each item once": len(indexes),
        "items worked on": worked(),
        "work beside an undisturbed run": worked() / KILLED_ITEMS,
        "items lost a kill": (worked() - KILLED_ITEMS) / number,
    } | (shares if len(servers) > 1 else {})


def main() -> None:
    """Run what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="check", help="throughput, kills, shared_kills")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    checks: dict[str, tuple[Check, int]] = {
        "throughput": (throughput, options.items),
        "kills": (kills, options.kills),
        "shared_kills": (shared_kills, options.kills),
    }
    path = RESULTS / "jobs.json"
    figures: dict[str, dict[str, float]] = json.loads(path.read_text()) if path.exists() else {}
    for name in options.checks or checks:
        check, number = checks[name]
        with tempfile.TemporaryDirectory() as folder:
            figures[name] = check(Path(folder), number)
        print(name)
        for what, figure in figures[name].items():
            print(f"  {what:<36} {figure:>12,.2f}")
        RESULTS.mkdir(exist_ok=True)
        path.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
