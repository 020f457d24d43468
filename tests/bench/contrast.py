"""How many changed facts the checks see, and how many right translations they flag, by kind.

    python -m tests.bench.contrast [--set tests/golden/contrast.tsv]

The set has 240 sentences with a right translation and one with a single fact changed. No model runs.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from pathlib import Path

from kunnafoni.checks.registry import check

CONTRAST = Path(__file__).parents[1] / "golden" / "contrast.tsv"


def main() -> None:
    """Print a line per kind, and one for all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, default=CONTRAST)
    with parser.parse_args().set.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    seen, flagged, all_rows = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        for kind in (row["kind"], "all"):
            all_rows[kind] += 1
            seen[kind] += _flagged(row, "wrong")
            flagged[kind] += _flagged(row, "right")
    print(f"{'kind':14} wrong ones seen   right ones flagged")
    for kind, count in all_rows.items():
        shares = f"{seen[kind] / count:6.0%}   {flagged[kind]:3} {flagged[kind] / count:6.1%}"
        print(f"{kind:14} {seen[kind]:4} of {count:3} {shares}")


def _flagged(row: dict[str, str], side: str) -> bool:
    languages = {"source_language": row["source_language"], "target_language": row["target_language"]}
    return bool(check(row["source"], row[side], **languages))


if __name__ == "__main__":
    main()
