"""Throughput and latency under load: the server, the raw backend as the limit, and a naive server as the peer.

    python tests/bench/load.py [--quick] [--shared ../shared] [--rounds 3]

All on the same weights, in one run, in turns: a real `kunnafoni serve` and `naive_server.py` in processes of their own,
the raw backend in this one. The server's cache is off. Requests are made of FLORES-200 dev, see `traffic.py`.

1. Raw: the rows that the service runs for the requests of (2), offline, batch sizes swept. With and without the second
   tries of outputs that look wrong, which are work of the service that the others do not do.
2. 64 callers at once: source characters a second beside (1).
3. 32 callers at once: beside the naive server on the same requests.
4. One caller: median latency of one-line requests beside the naive server's, and of articles.
5. Open loop: Poisson arrivals at fractions of each server's own throughput in (3); p50, p95, p99.

Prints a table; writes bench-results/load.json and load.png. Takes about 25 minutes on 2 quiet cores, 5 with --quick.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from kunnafoni.cli.local_server import local_server
from tests.bench.raw import RawBackend, first_tries
from tests.bench.traffic import ARTICLE_SENTENCES, Callers, Traffic, characters

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from tests.bench.traffic import Load

RESULTS = Path("bench-results")
BATCH_ROWS = (8, 16, 32, 64, 128)
FRACTIONS = (0.25, 0.5, 0.75, 0.9, 1.0)
PERCENTILES = (50, 95, 99)
Figures = dict[str, Any]


@contextmanager
def naive_server() -> Generator[str]:
    """The peer in a process of its own; gives its address."""
    command = [sys.executable, str(Path(__file__).with_name("naive_server.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def against_raw(
    ours: Callers, traffic: Traffic, *, requests: int, rounds: int, batch_rows: Sequence[int]
) -> Figures:
    """64 callers beside the raw backend (1 and 2); ratios are medians of the rounds."""
    raw = await RawBackend.open()
    work = traffic.requests(requests)
    size = sum(map(characters, work))
    rows = await raw.rows(work)
    firsts = first_tries(rows)
    sweep = {number: size / raw.seconds(rows, number) for number in batch_rows}
    best = max(sweep, key=lambda number: sweep[number])
    figures: list[Figures] = []
    for _ in range(rounds):
        load = await ours.closed(work, 64)
        raw_per_s, firsts_per_s = size / raw.seconds(rows, best), size / raw.seconds(firsts, best)
        figures.append(
            {
                "served": load.characters_per_s,
                "raw": raw_per_s,
                "raw without second tries": firsts_per_s,
                "of raw": load.characters_per_s / raw_per_s,
                "of raw without second tries": load.characters_per_s / firsts_per_s,
            }
        )
    await raw.close()
    return {
        "characters": size,
        "rows": len(rows),
        "rows of second tries": len(rows) - len(firsts),
        "raw by batch rows": sweep,
        "best batch rows": best,
    } | _medians(figures)


async def against_naive(ours: Callers, naive: Callers, traffic: Traffic, *, requests: int, rounds: int) -> Figures:
    """32 callers beside the naive server (3)."""
    figures: list[Figures] = []
    for _ in range(rounds):
        work = traffic.requests(requests)
        served, peer = await ours.closed(work, 32), await naive.closed(work, 32)
        figures.append(
            {
                "served": served.characters_per_s,
                "naive": peer.characters_per_s,
                "times naive": served.characters_per_s / peer.characters_per_s,
                "requests a second": len(work) / served.elapsed_s,
                "naive requests a second": len(work) / peer.elapsed_s,
            }
        )
    return _medians(figures)


async def alone(ours: Callers, naive: Callers, traffic: Traffic, *, requests: int) -> Figures:
    """One caller, each request to both servers, in changing order (4)."""
    figures: Figures = {}
    for name, sentences in (("line", 1), ("article", ARTICLE_SENTENCES)):
        served: list[float] = []
        peer: list[float] = []
        for number in range(requests if sentences == 1 else requests // 4):
            request = traffic.request(sentences)
            turns = [(ours, served), (naive, peer)]
            for callers, latencies in turns if number % 2 else turns[::-1]:
                latencies.append((await callers.call(request)).latency_s)
        figures |= {
            f"{name}, s": statistics.median(served),
            f"{name} naive, s": statistics.median(peer),
            f"{name}, times naive": statistics.median(a / b for a, b in zip(served, peer, strict=True)),
            f"{name}, sum times naive": sum(served) / sum(peer),
        }
    return figures


async def open_loop(callers: Callers, traffic: Traffic, *, full_rate: float, duration_s: float) -> list[Figures]:
    """Throughput and latency at fractions of `full_rate` requests a second (5)."""
    points: list[Figures] = []
    for fraction in FRACTIONS:
        load: Load = await callers.open(traffic, rate=fraction * full_rate, duration_s=duration_s)
        point = {"requests a second": fraction * full_rate, "characters_per_s": load.characters_per_s}
        points.append(point | {f"p{percentile}, s": load.latency_s(percentile) for percentile in PERCENTILES})
    return points


def _medians(rounds: list[Figures]) -> Figures:
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


def draw(figures: Figures, path: Path) -> None:
    """Plot latency against throughput; the raw limit is a line."""
    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of a drawing engine that needs no screen

    plots: Any = plt
    figure, axes = plots.subplots(figsize=(8, 5))
    for name, colour in (("kunnafoni", "tab:blue"), ("naive", "tab:red")):
        points = figures["open loop"][name]
        for percentile, style in zip(PERCENTILES, ("-o", "--s", ":^"), strict=True):
            throughput = [point["characters_per_s"] for point in points]
            latency = [point[f"p{percentile}, s"] for point in points]
            axes.plot(throughput, latency, style, color=colour, label=f"{name} p{percentile}")
    axes.axvline(figures["64 callers"]["raw"], color="grey", label="raw backend, offline")
    axes.set(xlabel="source characters a second", ylabel="latency, s", yscale="log", xlim=(0, None))
    axes.legend()
    figure.savefig(path, dpi=120)


def show(figures: Figures) -> None:
    """Print all figures."""
    table = Table("what", "figure", "value")
    for what in ("64 callers", "32 callers", "one caller"):
        for name, value in figures[what].items():
            table.add_row(what, name, f"{value:,.2f}" if isinstance(value, int | float) else str(value))
    for name, points in figures["open loop"].items():
        for point in points:
            values = "  ".join(f"{key} {value:.2f}" for key, value in point.items())
            table.add_row("open loop", name, values)
    Console(width=160).print(table)


async def measure(ours: Callers, naive: Callers, traffic: Traffic, options: argparse.Namespace) -> Figures:
    """All parts in turn."""
    quick = options.quick
    rounds = 1 if quick else options.rounds
    figures: Figures = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "quick": quick, "cores": os.cpu_count()}
    await asyncio.gather(*(callers.call(traffic.request(1)) for callers in (ours, naive)))
    figures["64 callers"] = await against_raw(
        ours, traffic, requests=24 if quick else 256, rounds=rounds, batch_rows=BATCH_ROWS[-2:] if quick else BATCH_ROWS
    )
    figures["32 callers"] = peer = await against_naive(
        ours, naive, traffic, requests=16 if quick else 128, rounds=rounds
    )
    # The peer makes no second tries. What it would be against a service without them is not measured but follows.
    against = figures["64 callers"]
    peer["times naive without second tries, estimated"] = (
        peer["times naive"] * against["of raw"] / against["of raw without second tries"]
    )
    figures["one caller"] = await alone(ours, naive, traffic, requests=4 if quick else 60)
    figures["load average"] = os.getloadavg()
    duration_s = 8.0 if quick else 60.0
    rates = {"kunnafoni": peer["requests a second"], "naive": peer["naive requests a second"]}
    figures["open loop"] = {
        name: await open_loop(callers, traffic, full_rate=rates[name], duration_s=duration_s)
        for name, callers in (("kunnafoni", ours), ("naive", naive))
    }
    return figures


async def run(options: argparse.Namespace) -> Figures:
    """Start both servers and measure."""
    os.environ |= {"KUNNAFONI_CACHE_BYTES": "0"}
    with local_server() as server, naive_server() as naive_address:
        ours, naive = Callers(server.address), Callers(naive_address)
        figures = await measure(ours, naive, Traffic(options.shared), options)
        await ours.close()
        await naive.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    figures = asyncio.run(run(options))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "load.json").write_text(json.dumps(figures, indent=1))
    draw(figures, RESULTS / "load.png")
    show(figures)


if __name__ == "__main__":
    main()
