"""Text that models have not learnt: capitals, and sentences with addresses, placeholders, tags, emoji.

    python -m tests.bench.forms [--server ADDRESS] [--test-set FLORES.tsv]

Capitals: chrF++ (nc:6, nw:2, case:lc) of the first 60 lines of at most 120 code points, as they are and in capitals, in
all directions. Inline: 50 sentences per direction with a piece or a pair of tags put between words; how many come back
with all pieces once and in order, and how many of these with the spaces beside them right.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import random
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sacrebleu.metrics.chrf import CHRF

from kunnafoni.cli.local_server import local_server
from kunnafoni.client import Client

if TYPE_CHECKING:
    from collections.abc import Sequence

FLORES = Path(__file__).parents[3] / "shared" / "eval" / "flores200" / "dev.tsv"
LANGUAGES = ("en", "fr", "bm")
CHRF_PLUS = CHRF(word_order=2, lowercase=True)
WORDS = ("https://news.example/a?b=1", "info@news.example", "{name}", "%(count)s", "#Mali", "@redaction", "`make demo`")
MARKS = ("🏆", "→", "🇲🇱", "☎")
PAIRS = (("<b>", "</b>"), ("**", "**"), ('<a href="/x?y=1">', "</a>"))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="address of a running server; without it one is started")
    parser.add_argument("--test-set", type=Path, default=FLORES)
    options = parser.parse_args()
    with options.test_set.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if options.server:
        measure(options.server, rows)
    else:
        with local_server() as server:
            measure(server.address, rows)


def measure(address: str, rows: Sequence[dict[str, str]]) -> None:
    """Print the figures of each direction."""
    with Client(address, timeout_s=900) as client:
        for source, target in itertools.permutations(LANGUAGES, 2):
            short = [row for row in rows if len(row[source]) <= 120][:60]
            plain = _chrf(client, [row[source] for row in short], short, source, target)
            capitals = _chrf(client, [row[source].upper() for row in short], short, source, target)
            back, beside, pieces = _inline(client, [row[source] for row in rows[:50]], source, target)
            print(f"{source}>{target}: chrF++ {plain:.1f}, in capitals {capitals:.1f}", flush=True)
            print(f"  of {pieces} with pieces {back} have them back, {beside} with the right spaces", flush=True)


def _chrf(client: Client, texts: list[str], rows: Sequence[dict[str, str]], source: str, target: str) -> float:
    found = [answer.text for answer in client.translate(texts, source=source, target=target)]
    return CHRF_PLUS.corpus_score(found, [[row[target] for row in rows]]).score


def _inline(client: Client, sentences: list[str], source: str, target: str) -> tuple[int, int, int]:
    """Sentences whose pieces came back once and in order; of these, with the right spaces beside; all."""
    draw = random.Random(7)
    made = [_with_pieces(sentence, draw) for sentence in sentences]
    answers = client.translate([text for text, _ in made], source=source, target=target)
    back = [
        (answer.text, pieces)
        for answer, (_, pieces) in zip(answers, made, strict=True)
        if re.fullmatch(".*?".join(["", *map(re.escape, pieces), ""]), answer.text, re.DOTALL)
    ]
    return len(back), sum(_spaced(text, pieces) for text, pieces in back), len(made)


def _with_pieces(sentence: str, draw: random.Random) -> tuple[str, list[str]]:
    words = sentence.split()[:20]
    kind = draw.randrange(3)
    place = draw.randrange(1, len(words) - 1)
    if kind == 0:
        piece = draw.choice(WORDS)
        words.insert(place, piece + draw.choice(("", ",")))
        return " ".join(words), [piece]
    if kind == 1:
        mark = draw.choice(MARKS)
        words.insert(place, mark)
        return " ".join(words), [mark]
    opening, closing = draw.choice(PAIRS)
    words[place] = f"{opening}{words[place].rstrip('.,')}{closing}"
    return " ".join(words), [opening, closing]


def _spaced(text: str, pieces: list[str]) -> bool:
    """Whether a single piece has spaces or punctuation around, and a pair holds words without spaces at its edges."""
    if len(pieces) == 1:
        before, after = text.split(pieces[0], 1)
        return not before[-1:].isalnum() and not after[:1].isalnum() and "  " not in text
    inside = text.split(pieces[0], 1)[1].split(pieces[1], 1)[0]
    return bool(inside) and inside == inside.strip()


if __name__ == "__main__":
    main()
