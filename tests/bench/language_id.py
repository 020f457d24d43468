"""Scores language identification on text that it was not trained on, and times it.

    python -m tests.bench.language_id --shared ../shared [--flores dev]

Prints tables and writes `bench-results/language_id.json`. The held-out languages are those that
`scripts.train_language_id.split_of` keeps out of training. Some lines of the Bambara column of FLORES-200 are in
Kikuyu, 66 of dev and 70 of devtest; they are found by the letters ĩ and ũ, which Bambara does not have. Bambara is
scored with them and without.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from kunnafoni.text.language_id import CONFIDENCE_FLOOR, LANGUAGES, UNDETERMINED, WEIGHTS_PATH, Weights, identify
from scripts.train_language_id import plain, read_others

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VARIANTS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "plain letters": plain,
    "è ò ny ng": lambda text: plain(text, 2),
    "ALL CAPS": str.upper,
    "PLAIN CAPS": lambda text: plain(text).upper(),
    "first 4 words": lambda text: " ".join(text.split()[:4]),
    "4 plain words": lambda text: plain(" ".join(text.split()[:4])),
}


def percent(part: int, whole: int) -> float:
    """A share in percent, two digits."""
    return round(100 * part / whole, 2)


def read_flores(path: Path) -> dict[str, list[str]]:
    """Sentences a language, and under `bm without Kikuyu` those that are Bambara."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    sentences = {code: [row[code] for row in rows] for code in LANGUAGES}
    sentences["bm without Kikuyu"] = [text for text in sentences["bm"] if not is_kikuyu(text)]
    return sentences


def is_kikuyu(text: str) -> bool:
    """Whether a line of the Bambara column is one of those in Kikuyu."""
    return sum(text.lower().count(letter) for letter in "ĩũ") > 1


def score_flores(sentences: dict[str, list[str]]) -> dict[str, dict[str, float]]:
    """Percentage of sentences that are named rightly, a variant and a language."""
    return {
        variant: {
            name: percent(sum(identify(change(text)).language_code == name[:2] for text in texts), len(texts))
            for name, texts in sentences.items()
        }
        for variant, change in VARIANTS.items()
    }


def score_others(lines: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Percentage of lines in other languages that are called en, fr or bm, and which languages these are."""
    false = Counter(
        f"{code} as {named}" for code, text in lines if (named := identify(text).language_code) != UNDETERMINED
    )
    short = sum(identify(VARIANTS["first 4 words"](text)).language_code != UNDETERMINED for _, text in lines)
    return {
        "languages": len({code for code, _ in lines}),
        "lines": len(lines),
        "false_percent": percent(false.total(), len(lines)),
        "false_percent_first_4_words": percent(short, len(lines)),
        "false": dict(false.most_common()),
    }


def median_s(count: int, action: Callable[[], object]) -> float:
    """Median of the seconds of `count` runs."""
    times: list[float] = []
    for _ in range(count):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return median(times)


def measure_speed(sentences: Sequence[str]) -> dict[str, float]:
    """Milliseconds to load, for one sentence, and for a million code points."""
    long_text = (" ".join(sentences) + " ") * (1_000_000 // sum(map(len, sentences)) + 1)
    return {
        "load_ms": round(1000 * median_s(5, lambda: Weights.load(WEIGHTS_PATH)), 2),
        "sentence_ms": round(1000 * median_s(5, lambda: [identify(text) for text in sentences]) / len(sentences), 3),
        "million_code_points_ms": round(1000 * median_s(5, lambda: identify(long_text[:1_000_000])), 2),
        "file_kb": round(WEIGHTS_PATH.stat().st_size / 1000, 1),
    }


def main() -> None:
    """Run everything, print it and write it down."""
    parser = argparse.ArgumentParser(description="Score language identification.")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--flores", choices=("dev", "devtest"), default="devtest")
    parser.add_argument("--output", type=Path, default=Path("bench-results/language_id.json"))
    options = parser.parse_args()
    sentences = read_flores(options.shared / "eval" / "flores200" / f"{options.flores}.tsv")
    flores = score_flores(sentences)
    print(f"FLORES-200 {options.flores}, % right at confidence >= {CONFIDENCE_FLOOR}")
    print(f"{'':15}" + "".join(f"{f'{name} ({len(texts)})':>26}" for name, texts in sentences.items()))
    for variant, scores in flores.items():
        print(f"{variant:15}" + "".join(f"{score:26.2f}" for score in scores.values()))
    splits = {"dev": "dev"} if options.flores == "dev" else {"dev": "dev", "held_out": "held-out"}
    others = {
        key: score_others(read_others(options.shared / "corpora" / "lid", split)) for key, split in splits.items()
    }
    speed = measure_speed(sentences["fr"])
    print("\nother languages", json.dumps(others, ensure_ascii=False, indent=1), "\nspeed", json.dumps(speed))
    report = {"flores": options.flores, "floor": CONFIDENCE_FLOOR, "right_percent": flores, "other": others} | speed
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
