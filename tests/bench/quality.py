"""Translation quality through the server: chrF++ and BLEU on FLORES-200 devtest, all six directions.

    python tests/bench/quality.py [--shared ../shared] [--set devtest] [--lines 200] [--beam 0]

Starts a real server, sends the sources over gRPC, scores with sacrebleu, and prints each figure beside that of the
model alone: the same weights in the same run on whole lines, greedy, with nothing else done.
`published` is what `embedded/quality.json` says of the model alone; int8 arithmetic differs a little from processor to
processor. Writes bench-results/quality.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from kunnafoni.cli.local_server import local_server
from kunnafoni.client import Client
from kunnafoni.v1.result_pb2 import WarningType
from kunnafoni_models import registry
from kunnafoni_models.backend import Backend, Decoding

DIRECTIONS = [("en", "fr"), ("fr", "en"), ("bm", "fr"), ("fr", "bm"), ("bm", "en"), ("en", "bm")]
MODEL = "kunnafoni-270m"
BATCH_ROWS = 32
RESULTS = Path("bench-results")


def read_flores(path: Path, lines: int) -> list[dict[str, str]]:
    """Read the first `lines` rows of a FLORES table, keyed by its header."""
    header, *rows = path.read_text("utf-8").rstrip("\n").split("\n")[: lines + 1]
    return [dict(zip(header.split("\t"), row.split("\t"), strict=True)) for row in rows]


def alone(backend: Backend, texts: list[str], source: str, target: str) -> list[str]:
    """Translate whole lines with nothing around the model, in batches of like length."""
    prompts = [backend.translation_prompt(text, source=source, target=target) for text in texts]
    outputs = [""] * len(texts)
    order = sorted(range(len(texts)), key=lambda row: len(prompts[row].tokens))
    for start in range(0, len(order), BATCH_ROWS):
        rows = order[start : start + BATCH_ROWS]
        for row, output in zip(rows, backend.generate([prompts[row] for row in rows], Decoding()), strict=True):
            outputs[row] = output.text
    return outputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--set", default="devtest", choices=["dev", "devtest"])
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--beam", type=int, default=0)
    options = parser.parse_args()
    rows = read_flores(options.shared / "eval" / "flores200" / f"{options.set}.tsv", options.lines)
    entry = registry.catalog()[MODEL]
    published = json.loads((entry.folder / "quality.json").read_text())["directions"]
    backend = registry.load(entry)
    chrf, bleu = CHRF(word_order=2), BLEU()
    table = Table("direction", "chrF++", "alone", "difference", "published", "BLEU", "characters/s", "warnings")
    figures: dict[str, dict[str, object]] = {}
    with local_server() as server, Client(server.address, timeout_s=3600) as client:
        for source, target in DIRECTIONS:
            started = time.monotonic()
            answers = client.translate(
                [row[source] for row in rows], source=source, target=target, beam_size=options.beam
            )
            elapsed_s = time.monotonic() - started
            outputs, references = [answer.text for answer in answers], [[row[target] for row in rows]]
            score, name = chrf.corpus_score(outputs, references).score, f"{source}-{target}"
            bare = alone(backend, [row[source] for row in rows], source, target)
            bare_score = chrf.corpus_score(bare, references).score
            warnings = Counter(
                WarningType.Name(warning.type).removeprefix("WARNING_TYPE_")
                for answer in answers
                for segment in answer.segments
                for warning in segment.warnings
            )
            figures[name] = {
                "chrf++": round(score, 2),
                "chrf++ alone": round(bare_score, 2),
                "bleu": round(bleu.corpus_score(outputs, references).score, 2),
                "bleu alone": round(bleu.corpus_score(bare, references).score, 2),
                "warnings": dict(warnings),
                "outputs": outputs,
            }
            speed = sum(len(row[source]) for row in rows) / elapsed_s
            table.add_row(
                name, f"{score:.2f}", f"{bare_score:.2f}", f"{score - bare_score:+.2f}",
                f"{published[name]['chrf++']:.2f}", f"{figures[name]['bleu']:.2f}", f"{speed:.0f}", str(dict(warnings)),
            )  # fmt: skip
    Console(width=160).print(table)
    print(chrf.get_signature(), bleu.get_signature(), sep="\n")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "quality.json").write_text(
        json.dumps(
            {
                "set": f"FLORES-200 {options.set}, first {options.lines} lines",
                "date": time.strftime("%Y-%m-%d", time.gmtime()),
                "chrf_signature": str(chrf.get_signature()),
                "bleu_signature": str(bleu.get_signature()),
                "directions": figures,
            },
            ensure_ascii=False,
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
