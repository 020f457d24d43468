"""Trains the weights of `kunnafoni.text.language_id`; run by hand, it needs only the packages of the service.

    python scripts/train_language_id.py CORPUS_DIR

`CORPUS_DIR` holds `en.txt`, `fr.txt` and `bm.txt`, one sentence per line, and `other.tsv`, a language code and a
sentence per line. The texts themselves are not in this repository. The weights that ship were made on 2026-11-23, with
the constants below, from 14,000 lines per language (CC-BY, CC-BY-SA and public sources) and from 19,653 of 32,590 lines
of the Universal Declaration of Human Rights in other languages (public), those that `split_of` puts into training. It
took two minutes. The same lines give the same bytes on the same kind of machine.

Method: multinomial logistic regression on counts of n-grams divided by the square root of their number, with Adam.
Lines are seen as they are or varied: cut short, with more names, without the letters that keyboards lack. A first fit
over all frequent n-grams finds those that tell languages apart. A second fit uses only these, so that it also learns a
weight for all other n-grams.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import logging
import random
import re
import unicodedata
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from kunnafoni.text.language_id import LANGUAGES, WEIGHTS_PATH, Weights, feature_rows, ngram_hashes, normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

OTHER = len(LANGUAGES)  # number of the class of all other languages
SEED = 1
MIN_DOCUMENTS = 6  # an n-gram is a candidate if it is in so many lines (of other languages: in so many languages)
MAX_KEYS = 60_000
FIRST_EPOCHS, EPOCHS = 2, 5
BATCH = 256
LEARNING_RATE = 0.03  # falls to zero in a straight line
SHORT_SHARE, SHORT_WORDS = (
    0.5,
    (1, 2, 3, 3, 4, 4, 5, 6, 8, 10),
)  # share of the lines that are cut, and to what length
NAME_SHARE, MAX_NAMES = 0.5, 5  # share of the lines that get names of people and places, and at most how many
PLAIN_SHARE = 0.25  # share of the lines that lose accents and special letters
_WITHOUT_SPECIAL_LETTERS = (  # how people write Bambara without its letters on the keyboard, most frequent first
    str.maketrans({"ɛ": "e", "ɔ": "o", "ɲ": "n", "ŋ": "n"}),
    str.maketrans({"ɛ": "e", "ɔ": "o", "ɲ": "ny", "ŋ": "ng"}),
    str.maketrans({"ɛ": "è", "ɔ": "ò", "ɲ": "ny", "ŋ": "ng"}),
)
_NAME = re.compile(r"[A-ZÀ-ÞƐƆƝŊ][^\W\d_]{2,}")

logger = logging.getLogger(__name__)


class Line(NamedTuple):
    """A normalised line and its class: an index into `LANGUAGES`, or `OTHER`."""

    text: str
    label: int


def split_of(code: str) -> Literal["train", "dev", "held-out"]:
    """The split of a language of `other.tsv`: 60, 10 and 30 % of the languages, variants of one language together."""
    base = re.match(r"\d+|[a-z]+", code)
    if base is None:
        raise ValueError(f"not a language code: {code!r}")
    percentile = int(hashlib.sha256(base.group().encode()).hexdigest(), 16) % 100
    return "held-out" if percentile < 30 else "dev" if percentile < 40 else "train"  # noqa: PLR2004


def read_others(corpus: Path, split: str) -> list[tuple[str, str]]:
    """Code and text of each line of `other.tsv` in a split, with HTML character references resolved."""
    lines = (corpus / "other.tsv").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t", 1) for line in lines)
    return [(code, html.unescape(text)) for code, text in pairs if split_of(code) == split]


def plain(text: str, spelling: int = 0) -> str:
    """A text without accents and special letters; `spelling` 2 keeps French accents and writes è and ò for ɛ and ɔ."""
    if spelling < 2:  # noqa: PLR2004
        decomposed = unicodedata.normalize("NFD", text)
        text = unicodedata.normalize("NFC", "".join(char for char in decomposed if not unicodedata.combining(char)))
    return text.translate(_WITHOUT_SPECIAL_LETTERS[spelling])


def train(corpus: Path) -> Weights:
    """Read the corpus, fit, prune, fit again and quantise."""
    lines: list[Line] = []
    names: set[str] = set()
    for label, code in enumerate(LANGUAGES):
        for text in (corpus / f"{code}.txt").read_text(encoding="utf-8").splitlines():
            lines.append(Line(normalise(text), label))
            names.update(_names_in(text))
    languages: dict[str, list[str]] = {}
    for code, text in read_others(corpus, "train"):
        languages.setdefault(code, []).append(normalise(text))
    documents = [line.text for line in lines] + [" ".join(texts) for texts in languages.values()]
    lines += [Line(text, OTHER) for texts in languages.values() for text in texts]
    lines = [line for line in lines if line.text]
    keys, frequencies = _candidates(documents)
    logger.info("%d lines, %d candidate n-grams", len(lines), len(keys))
    varied = partial(_varied, names=sorted(names))
    weights, _ = _fit(lines, keys, varied, epochs=FIRST_EPOCHS)
    usefulness = np.ptp(weights[: len(keys)], axis=1) * np.sqrt(frequencies)
    keys = np.sort(keys[np.argsort(-usefulness, kind="stable")[:MAX_KEYS]])
    return _quantise(keys, *_fit(lines, keys, varied, epochs=EPOCHS))


def _candidates(documents: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """Hashes of the n-grams in at least `MIN_DOCUMENTS` documents, ascending, and the number of their documents."""
    spelled = [*documents, *(plain(text) for text in documents[::4])]
    hashes = np.concatenate([np.unique(np.concatenate(ngram_hashes(text))) for text in spelled])
    keys, counts = np.unique(hashes, return_counts=True)
    frequent = counts >= MIN_DOCUMENTS
    return keys[frequent], counts[frequent]


def _names_in(text: str) -> list[str]:
    """Words with a capital inside a sentence, in the lower case of `normalise`."""
    words = text.split()
    return [normalise(word) for before, word in pairwise(words) if _NAME.fullmatch(word) and before[-1].isalpha()]


def _varied(text: str, chance: random.Random, *, names: Sequence[str]) -> str:
    """Vary a text as people might: shorter, about other people and places, or with fewer special letters."""
    words = text.split()
    if chance.random() < SHORT_SHARE:
        count = chance.choice(SHORT_WORDS)
        start = chance.randrange(max(1, len(words) - count + 1))
        words = words[start : start + count]
    if names and chance.random() < NAME_SHARE:
        for _ in range(chance.randint(1, MAX_NAMES)):
            words.insert(chance.randint(0, len(words)), chance.choice(names))
    text = " ".join(words)
    return plain(text, chance.choice((0, 0, 1, 2))) if chance.random() < PLAIN_SHARE else text


def _fit(
    lines: Sequence[Line], keys: NDArray[np.uint32], varied: Callable[[str, random.Random], str], *, epochs: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (one row per key, then one per order; one column per class), and the bias of each class."""
    chance = random.Random(SEED)  # noqa: S311 - not for secrets
    parameters = np.zeros((len(keys) + 6, OTHER + 1), dtype=np.float32)  # five orders, and the bias as the last row
    mean, square = np.zeros_like(parameters), np.zeros_like(parameters)
    order = list(range(len(lines)))
    batches = max(1, len(lines) // BATCH)
    steps = epochs * batches
    for step in range(steps):
        place = step % batches * BATCH
        if place == 0:
            chance.shuffle(order)
        batch = [lines[index] for index in order[place : place + BATCH]]
        rows = [feature_rows(varied(line.text, chance), keys) for line in batch]
        loss, gradient = _gradient(parameters, rows, [line.label for line in batch])
        mean += 0.1 * (gradient - mean)
        square += 0.001 * (gradient * gradient - square)
        correction = np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
        rate = LEARNING_RATE * (1 - step / steps) * correction
        parameters -= (rate * mean / (np.sqrt(square) + 1e-8)).astype(np.float32)
        if (step + 1) % 100 == 0:
            logger.info("step %d of %d, loss %.4f", step + 1, steps, loss)
    return parameters[:-1], parameters[-1]


def _gradient(
    parameters: NDArray[np.float32], rows: Sequence[NDArray[np.intp]], labels: Sequence[int]
) -> tuple[float, NDArray[np.float32]]:
    """Mean cross entropy of a batch, and its derivative by each parameter."""
    lengths = np.array([len(row) for row in rows])
    flat = np.concatenate(rows)
    scale = 1 / np.sqrt(lengths)[:, None]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    logits = np.add.reduceat(parameters[flat], starts, axis=0) * scale + parameters[-1]
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    right = (np.arange(len(rows)), np.array(labels))
    loss = -float(np.log(probabilities[right]).mean())
    probabilities[right] -= 1
    errors = probabilities / len(rows)
    spread = np.repeat(errors * scale, lengths, axis=0)
    columns = [np.bincount(flat, column, len(parameters)) for column in spread.T]
    gradient = np.stack(columns, axis=1).astype(np.float32)
    gradient[-1] = errors.sum(axis=0)
    return loss, gradient


def _quantise(keys: NDArray[np.uint32], weights: NDArray[np.float32], bias: NDArray[np.float32]) -> Weights:
    """The same model relative to the class of other languages, in steps of 1/127 of each language's largest weight."""
    relative = weights[:, :OTHER] - weights[:, OTHER:]
    scale = np.abs(relative).max(axis=0) / 127
    return Weights(keys, np.rint(relative / scale).astype(np.int8), scale, bias[:OTHER] - bias[OTHER])


def main(arguments: Iterable[str] | None = None) -> None:
    """Train on a folder of texts and write the weights where `language_id` reads them."""
    parser = argparse.ArgumentParser(description="Train the language identifier.")
    parser.add_argument("corpus", type=Path, help="folder with en.txt, fr.txt, bm.txt and other.tsv")
    parser.add_argument("--output", type=Path, default=WEIGHTS_PATH)
    options = parser.parse_args(None if arguments is None else list(arguments))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    train(options.corpus).save(options.output)
    logger.info("%s: %d bytes", options.output, options.output.stat().st_size)


if __name__ == "__main__":
    main()
