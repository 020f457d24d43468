"""Throughput and latency under load: the server, the raw backend as the limit, and a naive server as the peer.

    python tests/bench/load.py [raw] [naive] [alone] [open] [--size 1.0] [--rounds 3] [--shared ../shared]

Without names all parts run. All on the same weights, in turns: a real `kunnafoni serve`, a plain one without second
tries and pivots, and `naive_server.py` twice, on the same runtime and on CTranslate2 as popular servers are, in
processes of their own, the raw backend in this one. Caches are off. Requests are of FLORES-200 dev, see `traffic.py`. A
naive server makes neither second tries nor pivots, so the plain server is what compares with it on equal work, and both
are shown.

raw     64 callers: source characters per second, and those of the sequences that the server runs for the same requests,
        offline in the best batches (sizes swept).
naive   32 callers: beside the naive servers on the same requests.
alone   One caller: one-line requests and articles, each sent to all servers.
open    Open loop: Poisson arrivals at fractions of each server's own throughput with 32 callers; p50, p95, p99. Of the
        naive ones that on the same runtime.

Prints a table; writes bench-results/load.json and load.png. --size makes everything larger or smaller, in requests or
seconds.
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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from kunnafoni.cli.local_server import local_server
from tests.bench.raw import RawBackend
from tests.bench.traffic import ARTICLE_SENTENCES, Callers, Traffic, characters

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from kunnafoni.v1 import translation_pb2

RESULTS = Path("bench-results")
BATCH_SIZES = (16, 32, 64, 128)
FRACTIONS = (0.25, 0.5, 0.75, 0.9, 1.0)
PERCENTILES = (50, 95, 99)
PEERS = ("naive", "naive on CTranslate2")
COLOURS = ("tab:blue", "tab:red")
Figures = dict[str, Any]


@contextmanager
def naive_server(*backend: str) -> Generator[str]:
    """The peer in a process of its own; gives its address."""
    command = [sys.executable, str(Path(__file__).with_name("naive_server.py")), *backend]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@dataclass(frozen=True)
class Servers:
    """What is measured, and how thoroughly.

    Attributes:
        ours: The server as it comes.
        plain: The same without second tries and pivots.
        naive: The peer on the same runtime.
        popular: The peer on CTranslate2.
        rounds: Over how many rounds medians are taken.
        size: Factor to the numbers of requests and to the seconds of the open loop.
    """

    ours: Callers
    plain: Callers
    naive: Callers
    popular: Callers
    traffic: Traffic
    rounds: int
    size: float

    def requests(self, number: int) -> list[translation_pb2.TranslateRequest]:
        """The next requests of mixed length, so many times `size`."""
        return self.traffic.requests(round(number * self.size))

    @property
    def named(self) -> dict[str, Callers]:
        """The servers with their names in the table."""
        return {
            "kunnafoni": self.ours,
            "plain": self.plain,
            "naive": self.naive,
            "naive on CTranslate2": self.popular,
        }


async def raw(servers: Servers) -> Figures:
    """64 callers beside the raw backend; ratios are medians of the rounds."""
    backend = await RawBackend.open()
    work = servers.requests(256)
    size = sum(map(characters, work))
    sequences = await backend.sequences(work)
    plain_sequences = await backend.sequences(work, plain=True)
    sweep_s = {number: backend.seconds(plain_sequences, number) for number in BATCH_SIZES}
    best = min(sweep_s, key=lambda number: sweep_s[number])
    figures: list[Figures] = []
    for _ in range(servers.rounds):
        served, plain = await servers.ours.closed(work, 64), await servers.plain.closed(work, 64)
        limit, limit_plain = size / backend.seconds(sequences, best), size / backend.seconds(plain_sequences, best)
        figures.append(
            {
                "served": served.characters_per_s,
                "raw": limit,
                "of raw": served.characters_per_s / limit,
                "plain served": plain.characters_per_s,
                "plain raw": limit_plain,
                "plain of raw": plain.characters_per_s / limit_plain,
            }
        )
    await backend.close()
    return {
        "characters": size,
        "sequences": len(sequences),
        "plain sequences": len(plain_sequences),
        "seconds of the plain sequences by batch size": sweep_s,
        "best batch size": best,
    } | _medians(figures)


async def naive(servers: Servers) -> Figures:
    """32 callers on the same requests at each server in turn; ratios are medians of the rounds."""
    figures: list[Figures] = []
    for _ in range(servers.rounds):
        work = servers.requests(128)
        loads = {name: await callers.closed(work, 32) for name, callers in servers.named.items()}
        figures.append({name: load.characters_per_s for name, load in loads.items()})
        for peer in PEERS:
            rate = loads[peer].characters_per_s
            figures[-1] |= {f"{name}, times {peer}": load.characters_per_s / rate for name, load in loads.items()}
        figures[-1] |= {f"{name}, requests/s": len(work) / load.elapsed_s for name, load in loads.items()}
    return _medians(figures)


async def alone(servers: Servers) -> Figures:
    """One caller, each request to all servers, in changing order."""
    figures: Figures = {}
    for name, sentences, requests in (("line", 1, 36), ("article", ARTICLE_SENTENCES, 6)):
        latencies_s: dict[str, list[float]] = {server: [] for server in servers.named}
        for number in range(max(1, round(requests * servers.size))):
            request = servers.traffic.request(sentences)
            turns = list(servers.named.items())
            first = number % len(turns)
            for server, callers in turns[first:] + turns[:first]:
                latencies_s[server].append((await callers.call(request)).latency_s)
        for server, latencies in latencies_s.items():
            figures[f"{name}, {server}, s"] = statistics.median(latencies)
            for peer in PEERS:
                ratios = [ours / other for ours, other in zip(latencies, latencies_s[peer], strict=True)]
                figures[f"{name}, {server}, times {peer}, median"] = statistics.median(ratios)
    return figures


async def open_loop(servers: Servers) -> Figures:
    """Throughput and latency at fractions of each server's own full rate, which it finds first."""
    figures: Figures = {}
    for name in ("kunnafoni", "naive"):
        callers = servers.named[name]
        work = servers.requests(64)
        load = await callers.closed(work, 32)
        figures[name] = [
            await _point(callers, servers, rate=fraction * len(work) / load.elapsed_s) for fraction in FRACTIONS
        ]
    return figures


async def _point(callers: Callers, servers: Servers, *, rate: float) -> Figures:
    load = await callers.open(servers.traffic, rate=rate, duration_s=30.0 * servers.size)
    point = {"requests a second": rate, "characters_per_s": load.characters_per_s}
    return point | {f"p{percentile}, s": load.latency_s(percentile) for percentile in PERCENTILES}


def _medians(rounds: list[Figures]) -> Figures:
    return {name: statistics.median(figures[name] for figures in rounds) for name in rounds[0]}


def draw(figures: Figures, path: Path) -> None:
    """Plot latency against throughput of the open loop; the raw limits are lines if they were measured."""
    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of a drawing engine that needs no screen

    plots: Any = plt
    figure, axes = plots.subplots(figsize=(8, 5))
    for (name, points), colour in zip(figures["open"]["servers"].items(), COLOURS, strict=True):
        for percentile, style in zip(PERCENTILES, ("-o", "--s", ":^"), strict=True):
            throughput = [point["characters_per_s"] for point in points]
            latency = [point[f"p{percentile}, s"] for point in points]
            axes.plot(throughput, latency, style, color=colour, label=f"{name} p{percentile}")
    if "raw" in figures:
        axes.axvline(figures["raw"]["raw"], color="grey", label="raw backend, offline")
    axes.set(xlabel="source characters a second", ylabel="latency, s", yscale="log", xlim=(0, None))
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def show(figures: Figures) -> None:
    """Print all figures."""
    table = Table("part", "figure", "value")
    for part, values in figures.items():
        for name, value in values.items():
            table.add_row(part, name, f"{value:,.3f}" if isinstance(value, float) else json.dumps(value))
    Console(width=160).print(table)


async def run(part: str, options: argparse.Namespace) -> Figures:
    """Start the servers and measure one part."""
    os.environ |= {"KUNNAFONI_CACHE_BYTES": "0"}
    with ExitStack() as stack:
        addresses = [stack.enter_context(local_server()).address]
        plainly = {"KUNNAFONI_SECOND_TRIES": "false", "KUNNAFONI_PIVOTS": "false"}
        os.environ |= plainly
        addresses.append(stack.enter_context(local_server()).address)
        addresses += [stack.enter_context(naive_server()), stack.enter_context(naive_server("ctranslate2"))]
        for name in plainly:
            del os.environ[name]
        traffic = Traffic(options.shared)
        ours, plain, naive_peer, popular = map(Callers, addresses)
        servers = Servers(ours, plain, naive_peer, popular, traffic, options.rounds, options.size)
        for callers in servers.named.values():
            await callers.call(traffic.request(1))
        figures: Figures = {
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "size": options.size,
            "rounds": options.rounds,
            "cores": os.cpu_count(),
        }
        found = await PARTS[part](servers)
        figures |= {"servers": found} if part == "open" else found
        for callers in servers.named.values():
            await callers.close()
    return figures | {"load average": os.getloadavg()[0]}


PARTS: dict[str, Callable[[Servers], Coroutine[Any, Any, Figures]]] = {
    "raw": raw,
    "naive": naive,
    "alone": alone,
    "open": open_loop,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--size", type=float, default=1.0)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    path = RESULTS / "load.json"
    RESULTS.mkdir(exist_ok=True)
    figures: Figures = json.loads(path.read_text()) if path.exists() else {}
    for part in options.parts or PARTS:
        figures[part] = asyncio.run(run(part, options))
        path.write_text(json.dumps(figures, indent=1))
        show({part: figures[part]})
    if "open" in figures:
        draw(figures, RESULTS / "load.png")


if __name__ == "__main__":
    main()
