"""How long the server takes to SERVING, and its memory, beside what its libraries and weights take by themselves.

    python tests/bench/start.py [--runs 5]

In turn: a process that imports grpc, ctranslate2 and tokenizers and builds the generator from the same files, timed
from outside until it has said so, and `kunnafoni serve` until health says SERVING. Prints medians and their ratio, and
the peak memory (VmHWM) of both when idle. Writes bench-results/start.json.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

from kunnafoni.cli.local_server import local_server

RESULTS = Path("bench-results")
BARE = """
import json, pathlib, sys
import ctranslate2, grpc, tokenizers
import kunnafoni_models
folder = pathlib.Path(kunnafoni_models.__file__).parent / "embedded"
card = json.loads((folder / "model.json").read_text())
files = {name: (folder / name).read_bytes() for name in ("config.json", "vocabulary.json")}
files["model.bin"] = b"".join((folder / part).read_bytes() for part in card["parts"])
generator = ctranslate2.Generator("embedded", device="cpu", compute_type="int8", files=files)
tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
print("built", flush=True)
sys.stdin.read()
"""


def peak_mb(process_id: int) -> float:
    """Peak resident memory of a running process in MB (10^6 bytes)."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process_id}/status").read_text())
    assert found
    return int(found[1]) * 1024 / 1e6


def bare() -> tuple[float, float]:
    """Seconds and peak MB of the libraries and weights alone."""
    started = time.monotonic()
    command = [sys.executable, "-c", BARE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "built\n"
        return time.monotonic() - started, peak_mb(process.pid)


def served() -> tuple[float, float]:
    """Seconds to SERVING and peak MB of the idle server."""
    started = time.monotonic()
    with local_server() as server:
        return time.monotonic() - started, peak_mb(server.process.pid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    bare()  # fills the page cache
    runs = [(bare(), served()) for _ in range(options.runs)]
    result = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "bare_s": round(statistics.median(run[0][0] for run in runs), 2),
        "server_s": round(statistics.median(run[1][0] for run in runs), 2),
        "ratio": round(statistics.median(run[1][0] / run[0][0] for run in runs), 2),
        "bare_peak_mb": round(max(run[0][1] for run in runs)),
        "server_peak_mb": round(max(run[1][1] for run in runs)),
    }
    print(json.dumps(result, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "start.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
