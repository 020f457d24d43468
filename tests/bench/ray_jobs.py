"""2,000 items through Ray on a cluster of this machine with two actors: with one killed, and with the driver killed.

    python tests/bench/ray_jobs.py [--items 2000]

The command runs as a person runs it, on the echo model at 0.4 s a batch, so that it is Ray's part that is measured. Its
rows are compared with what the job service answers for the same texts. Writes bench-results/ray_jobs.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.conftest import until
from tests.service.jobs.cluster.ray_cluster import (
    Cluster,
    finish,
    killed_at_the_end,
    made_by_a_server,
    parts,
    ray_cluster,
)

RESULTS = Path("bench-results")
OPTIONS = ("--to", "fr,bm", "--batch-rows", "64")
Figures = dict[str, float]


def texts(number: int) -> list[dict[str, Any]]:
    """Rows of two sentences; one in a hundred is in no language."""
    return [
        {"id": f"a{i}", "text": f"The market opens at {i}. Two roads are closed." if i % 100 else f"qwzx vbnm {i}"}
        for i in range(number)
    ]


def middle(sink: Path, items: int) -> None:
    """Wait until a third of the parts is written."""
    until(lambda: len(parts(sink)) >= items // 64 // 3, 300)


def actor_killed(cluster: Cluster, source: Path, sink: Path, items: int) -> Figures:
    began_s = time.monotonic()
    process = cluster.run(source, sink, *OPTIONS)
    with killed_at_the_end(process):
        middle(sink, items)
        cluster.actors()[0].kill()
        code, told = finish(process)
    assert code == 0, told
    return {"whole run, s": time.monotonic() - began_s}


def driver_killed(cluster: Cluster, source: Path, sink: Path, items: int) -> Figures:
    with killed_at_the_end(cluster.run(source, sink, *OPTIONS)):
        middle(sink, items)
    until(lambda: not cluster.actors())
    before = len(parts(sink))
    began_s = time.monotonic()
    code, told = finish(cluster.run(source, sink, *OPTIONS))
    assert code == 0, told
    return {
        "parts written before": before,
        "parts in the end": len(parts(sink)),
        "resumed, s": time.monotonic() - began_s,
    }


def compared(sink: Path, expected: dict[str, dict[str, str]]) -> Figures:
    made = [json.loads(line) for part in sink.glob("*.json") for line in part.read_text().splitlines()]
    by_id = {row["id"]: row for row in made}
    differing = sum(
        {name: by_id.get(row_id, {}).get(name) for name in columns} != columns for row_id, columns in expected.items()
    )
    return {
        "rows": len(made),
        "rows more than once": len(made) - len(by_id),
        "rows with an error": sum(bool(row["error"]) for row in made),
        "rows unlike the server's": differing,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=2_000)
    items: int = parser.parse_args().items
    rows = texts(items)
    expected = made_by_a_server(rows, "fr", "bm")
    figures: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as name, ray_cluster() as cluster:
        source = Path(name, "archive.jsonl")
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        for check in (actor_killed, driver_killed):
            sink = Path(name, check.__name__)
            figures[check.__name__] = check(cluster, source, sink, items) | compared(sink, expected)
            print(check.__name__, json.dumps(figures[check.__name__], indent=1), flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "ray_jobs.json").write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
