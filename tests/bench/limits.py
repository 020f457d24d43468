"""What must hold under load besides throughput: fairness, overload, cancellation, linear time, the same bytes.

    python tests/bench/limits.py [article] [overload] [cancel] [doubling] [determinism] [--quick] [--shared ../shared]

Without names all of them run. Each prints what it found and what is wanted, and writes bench-results/limits.json.

article      A line behind an article of 500 sentences: its latency in batch times, lines sent at random moments.
             A batch time is the median of the batches that the article filled meanwhile.
overload     Saturation, then five times its rate for 60 s: p99 of what is accepted, median time to a refusal, memory.
cancel       1,000 calls, cancelled in flight: what is left queued, and the sequences that run after the last one was
             cancelled. Then, four times the same with a server that has worked for 64 callers: idle memory.
doubling     Time of 1 to 1,000 segments; the time per character relative to the next smaller number. Small numbers are
             requested repeatedly until 64 sentences are done, the same ones for each number; all that three times.
determinism  Requests alone and all at once: how many answers differ.

Minutes on 2 quiet cores: 1, 4, 2, 7 and 1. `overload`, and `cancel` for memory, ask a server in a process of its own,
the others one in this process over real gRPC, so that the batches that run can be counted. Caches are off.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections import Counter
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))

from kunnafoni.cli.local_server import local_server
from kunnafoni.engine.engine import IDLE_AFTER_S
from kunnafoni_models import registry
from tests.bench.traffic import Callers, Outcome, Traffic, characters
from tests.conftest import Served, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from kunnafoni_models.backend import Decoding, Output, OutputCallback, Prompt

RESULTS = Path("bench-results")
MODEL = "kunnafoni-270m"
REFUSED = grpc.StatusCode.RESOURCE_EXHAUSTED
FULL_BATCH = 4  # fewer are the lines, or the rest of the article
DOUBLED_SENTENCES = 64
CANCELLED_TIMES = 4
Figures = dict[str, Any]


class Batches:
    """Watches the backend of a server in this process.

    Attributes:
        times_s: Sequences and duration of each batch that has run.
    """

    def __init__(self, served: Served) -> None:
        backend: Any = served.model_pool.engine(MODEL).backend
        self.times_s: list[tuple[int, float]] = []
        self._generate = backend.generate
        backend.generate = self._watched

    def _watched(self, prompts: Sequence[Prompt], decoding: Decoding, on_output: OutputCallback) -> list[Output]:
        began_s = time.monotonic()
        outputs = self._generate(prompts, decoding, on_output)
        self.times_s.append((len(prompts), time.monotonic() - began_s))
        return outputs


async def article(traffic: Traffic, *, quick: bool) -> Figures:
    async with serve(registry.catalog()[MODEL], cache_bytes=0) as served:
        callers, batches = Callers(served.address), Batches(served)
        long = asyncio.create_task(callers.call(traffic.request(50 if quick else 500, ("en", "fr"))))
        latencies: list[float] = []
        while len(latencies) < (2 if quick else 12):
            await asyncio.sleep(next(iter(traffic.pauses_s(0.5))))
            line = await callers.call(traffic.request(1))
            if long.done():
                break
            latencies.append(line.latency_s)
        await long
        await callers.close()
    batch_s = statistics.median(elapsed_s for sequences, elapsed_s in batches.times_s if sequences >= FULL_BATCH)
    return {
        "batch, s": batch_s,
        "lines": len(latencies),
        "median, batch times": statistics.median(latencies) / batch_s,
        "longest, batch times (wanted: 3)": max(latencies) / batch_s,
    }


async def overload(traffic: Traffic, *, quick: bool) -> Figures:
    duration_s = 15.0 if quick else 60.0
    with local_server() as server:
        callers, process = Callers(server.address), psutil.Process(server.process.pid)
        rate = await _saturating_rate(callers, traffic, quick=quick)
        saturated = await callers.open(traffic, rate=rate, duration_s=duration_s)
        before_mb = process.memory_info().rss / 1e6
        flooded = await callers.open(traffic, rate=5 * rate, duration_s=duration_s)
        after_mb = process.memory_info().rss / 1e6
        after = await callers.call(traffic.request(1))
        await callers.close()
    refusals_s = [outcome.latency_s for outcome in flooded.outcomes if outcome.code is REFUSED]
    return {
        "saturation, requests/s": rate,
        "p99 at saturation, s": saturated.latency_s(99),
        "refused at saturation": sum(outcome.code is REFUSED for outcome in saturated.outcomes),
        "p99 at five times, s": flooded.latency_s(99),
        "p99, times that at saturation (wanted: 3)": flooded.latency_s(99) / saturated.latency_s(99),
        "characters/s, times that at saturation": flooded.characters_per_s / saturated.characters_per_s,
        "codes": Counter(outcome.code.name if outcome.code else "OK" for outcome in flooded.outcomes),
        "refusal, median ms (wanted: 50)": statistics.median(refusals_s) * 1000 if refusals_s else None,
        "memory before, MB": before_mb,
        "memory after, MB": after_mb,
        "a line right after, s": after.latency_s,
    }


async def _saturating_rate(callers: Callers, traffic: Traffic, *, quick: bool) -> float:
    """Requests a second with which as much comes in as a server that never lacks work can do.

    What 64 callers get done, who wait for each other at the end, is up to a fifth less, and at four fifths of what
    saturates a server its p99 is a third.
    """
    work = traffic.requests(24 if quick else 128)
    waiting = await callers.closed(work, 64)
    rate = len(waiting.answered) / waiting.elapsed_s
    full = await callers.open(traffic, rate=5 * rate, duration_s=10.0 if quick else 30.0)
    return full.characters_per_s / statistics.mean(map(characters, work))


async def cancel(traffic: Traffic, *, quick: bool) -> Figures:
    calls = 100 if quick else 1000
    async with serve(registry.catalog()[MODEL], cache_bytes=0, max_queue_tokens=10_000_000) as served:
        callers, batches = Callers(served.address), Batches(served)
        await callers.closed(traffic.requests(8), 8)
        began = len(batches.times_s)
        queued = await _cancelled(callers, traffic, calls, partial(served.queued, MODEL))
        cancelled_s, running = time.monotonic(), len(batches.times_s)
        line = await callers.call(traffic.request(1))
        answered_s, stats = time.monotonic(), served.model_pool.engine(MODEL).stats().batcher
        await callers.close()
    return {
        "calls": calls,
        "queued when cancelled": queued,
        "batches before": running - began,
        "sequences of batches that ended afterwards, the line's and the one on the model": [
            sequences for sequences, _ in batches.times_s[running:]
        ],
        "sequences dropped": stats.dropped_sequences,
        "sequences queued at the end (wanted: 0)": stats.queued_sequences,
        "tokens queued at the end (wanted: 0)": stats.queued_tokens,
        "a line right after, s": line.latency_s,
        "until the line was answered, s": answered_s - cancelled_s,
        "memory at rest, MB, before and each time after (wanted: the same)": await _memory_mb(traffic, calls),
    }


async def _memory_mb(traffic: Traffic, calls: int) -> list[float]:
    found: list[float] = []
    with local_server(settings={"cache_bytes": 0, "max_queue_tokens": 10_000_000}) as server:
        callers, process = Callers(server.address), psutil.Process(server.process.pid)
        await callers.closed(traffic.requests(128), 64)
        for number in range(1 + CANCELLED_TIMES):
            if number:
                await _cancelled(callers, traffic, calls)
                await callers.call(traffic.request(1))
            await asyncio.sleep(2 * IDLE_AFTER_S)
            found.append(process.memory_info().rss / 1e6)
        await callers.close()
    return found


async def _cancelled(callers: Callers, traffic: Traffic, calls: int, queued: Callable[[], int] = lambda: 0) -> int:
    """Make the calls, cancel them in flight, and give what `queued` said right before."""
    tasks = [asyncio.create_task(callers.call(traffic.request(1))) for _ in range(calls)]
    await asyncio.sleep(3.0)
    found = queued()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(1.0)  # until the server has heard of it
    return found


async def doubling(traffic: Traffic, *, quick: bool) -> Figures:
    sizes = (1, 2, 4, 8, 16, 32) if quick else (1, 2, 4, 8, 16, 32, 64, 125, 250, 500, 1000)
    rounds: list[dict[int, list[Outcome]]] = []
    async with serve(registry.catalog()[MODEL], cache_bytes=0, max_queue_tokens=10_000_000) as served:
        callers = Callers(served.address)
        await callers.call(traffic.request(1))
        for _ in range(1 if quick else 3):
            rounds.append({})
            for size in sizes:
                requests = 1 if size == sizes[-1] else max(2, DOUBLED_SENTENCES // size)
                traffic.rewind()
                rounds[-1][size] = [await callers.call(traffic.request(size, ("en", "fr"))) for _ in range(requests)]
        await callers.close()
    return {
        "seconds, mean": {
            size: statistics.mean(each.latency_s for outcomes in rounds for each in outcomes[size]) for size in sizes
        },
        "time a character beside the row before, median of the rounds (wanted: at most 1.1)": {
            f"{small} to {large}": statistics.median(_doubled(each[small], each[large]) for each in rounds)
            for small, large in pairwise(sizes)
        },
    }


def _doubled(small: Sequence[Outcome], large: Sequence[Outcome]) -> float:
    """Time a character of the large requests beside that of the small ones, of the sentences that both have."""
    both = min(len(large), max(1, len(small) // 2))
    each_s = [
        sum(each.latency_s for each in some) / sum(each.characters for each in some)
        for some in (small[: 2 * both], large[:both])
    ]
    return each_s[1] / each_s[0]


async def determinism(traffic: Traffic, *, quick: bool) -> Figures:
    work = traffic.requests(20 if quick else 200)
    async with serve(registry.catalog()[MODEL], cache_bytes=0, max_queue_tokens=10_000_000) as served:
        callers = Callers(served.address)
        together = await asyncio.gather(*map(callers.call, work))
        alone = [await callers.call(request) for request in work]
        await callers.close()
    differing = sum(a.text != b.text for a, b in zip(together, alone, strict=True))
    return {"requests": len(work), "answers that differ (wanted: 0)": differing}


CHECKS: dict[str, Callable[..., Coroutine[Any, Any, Figures]]] = {
    check.__name__: check for check in (article, overload, cancel, doubling, determinism)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="check", help=", ".join(CHECKS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    options = parser.parse_args()
    os.environ |= {"KUNNAFONI_CACHE_BYTES": "0"}
    path = RESULTS / "limits.json"
    figures: Figures = json.loads(path.read_text()) if path.exists() else {}
    for name in options.checks or CHECKS:
        found = asyncio.run(CHECKS[name](Traffic(options.shared), quick=options.quick))
        figures[name] = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "quick": options.quick} | found
        print(name, json.dumps(figures[name], indent=1), flush=True)
        RESULTS.mkdir(exist_ok=True)
        path.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
