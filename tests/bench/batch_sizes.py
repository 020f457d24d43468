"""What batches the engine forms out of the load benchmark's traffic, by settings, without running a model.

    python tests/bench/batch_sizes.py [--requests 400] [--shared ../shared]

The real batcher in virtual time, with the real lengths of prompts, and a model that takes a time for each batch and for
each row in it. That ignores second tries and that long rows take longer; it compares settings in seconds instead of
hours, and says how far batches of 128 rows, sorted, are from what fair shares among so many callers allow. Prints a
table: rows a batch, throughput as a share of that, and the latency of lines in batch times of 32 rows.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.caller import Caller
from kunnafoni.engine.policy import Policy
from kunnafoni.text.segments import SegmentKind, split
from kunnafoni_models import registry
from kunnafoni_models.model_files import read_file
from kunnafoni_models.prompt_writer import PromptWriter
from tests.bench.traffic import Traffic
from tests.service.engine.fakes import FakeRow, run

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL = "kunnafoni-270m"
# Fitted to the sweep of load.py, 2026-11-25: 0.28, 0.21, 0.19, 0.19 s a row in batches of 16, 32, 64, 128 rows.
BATCH_S, ROW_S = 1.3, 0.18
BEST_ROWS = 128


@dataclass(frozen=True, slots=True)
class Simulated:
    """Rows of each batch, how long it all took, and the latencies of the requests of one row."""

    batches: list[int]
    elapsed_s: float
    lines_s: list[float]


def simulate(requests: Sequence[Sequence[FakeRow]], policy: Policy, callers: int) -> Simulated:
    """So many callers take the requests from one list, each sends its next when the last is answered."""
    batches: list[int] = []
    lines_s: list[float] = []

    async def model(rows: Sequence[FakeRow]) -> list[str]:
        batches.append(len(rows))
        await asyncio.sleep(BATCH_S + ROW_S * len(rows))
        return [row.text for row in rows]

    async def main() -> float:
        now_s, rest = asyncio.get_running_loop().time, iter(requests)
        batcher = Batcher(model, policy)

        async def caller() -> None:
            for rows in rest:
                one, began_s = Caller(), now_s()
                await asyncio.gather(*(batcher.submit(row, caller=one) for row in rows))
                if len(rows) == 1:
                    lines_s.append(now_s() - began_s)

        await asyncio.gather(*(caller() for _ in range(callers)))
        await batcher.close()
        return now_s()

    return Simulated(batches, run(main()), lines_s)


def rows_of(traffic: Traffic, number: int) -> list[list[FakeRow]]:
    """The rows of so many requests of the load benchmark."""
    entry = registry.catalog()[MODEL]
    writer = PromptWriter(entry, read_file(entry, "tokenizer.json"))
    requests: list[list[FakeRow]] = []
    for place, request in enumerate(traffic.requests(number)):
        source, target = request.source_language_code, request.target_language_code
        sentences = [each.text for each in split(request.contents[0], source) if each.kind is SegmentKind.TEXT]
        prompts = [writer.translation(text, source=source, target=target) for text in sentences]
        requests.append(
            [
                FakeRow(f"{place}.{n}", len(prompt.tokens), len(prompt.tokens) + prompt.max_output_tokens)
                for n, prompt in enumerate(prompts)
            ]
        )
    return requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    options = parser.parse_args()
    requests = rows_of(Traffic(options.shared), options.requests)
    best_s = sum(map(len, requests)) * (BATCH_S / BEST_ROWS + ROW_S)
    unit_s = BATCH_S + 32 * ROW_S
    table = Table(
        "callers", "batch_rows", "length_step", "rows a batch", "of the best", "line, median", "line, longest"
    )
    for callers, batch_rows, length_step in product((32, 64), (32, 64), (16, 32)):
        policy = Policy(batch_rows=batch_rows, length_step=length_step, queue_tokens=10**9)
        found = simulate(requests, policy, callers)
        figures = (statistics.median(found.lines_s) / unit_s, max(found.lines_s) / unit_s)
        table.add_row(
            *map(str, (callers, batch_rows, length_step)),
            f"{statistics.mean(found.batches):.1f}",
            f"{best_s / found.elapsed_s:.2f}",
            *(f"{figure:.1f}" for figure in figures),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
