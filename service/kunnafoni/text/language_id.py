"""Identifies whether a text is English, French or Bambara, or neither.

A linear softmax over hashed character n-grams (after Cavnar & Trenkle 1994 and Joulin et al. 2016, without word
vectors), with four classes: `en`, `fr`, `bm` and every other language. Unlike
those, it also counts the n-grams that have *no* weight of their own, with one weight per order: a language that is not
in the training data consists of n-grams that are not there either.
`scripts/train_language_id.py` makes the weights, `language_id.npz`.

It does not know which other language a text is in, or whether a text has several languages: it answers for the text as
a whole. Close relatives of the three languages that were not in its training data (Jula) are taken for one of them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from kunnafoni.text.orthography import modern_bambara

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LANGUAGES = ("en", "fr", "bm")
UNDETERMINED = "und"

CONFIDENCE_FLOOR = 0.6
"""Below this probability the answer is `und`; chosen on FLORES-200 dev and on languages kept out of training."""

WEIGHTS_PATH = Path(__file__).with_name("language_id.npz")

_WINDOW = 2_000  # code points; at most three windows are read, so a text of any length takes a few milliseconds
_MAX_ORDER = 5  # length of the longest n-gram, in code points
_END_OF_IPA, _LATIN_ADDITIONAL, _GREEK_EXTENDED = 0x2B0, 0x1E00, 0x1F00  # Unicode blocks: Latin is below and between
_OTHER_SCRIPT = np.uint32(0xFFFF)  # stands for every letter that is not Latin; no character has this code
_MULTIPLIER = np.uint32(2_654_435_761)  # Knuth's multiplicative hash, The Art of Computer Programming 3, 6.4
_SPREAD = np.uint32(0x9E37_79B1)

_LOOKALIKES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "ε": "ɛ", "ԑ": "ɛ", "ɳ": "ɲ"})
_COMBINING_MARKS = re.compile("[\u0300-\u036f]")
_NOT_A_LETTER = re.compile(r"[^\w']|[\d_]")


@dataclass(frozen=True, slots=True)
class Detection:
    """What language a text is in.

    Attributes:
        language_code: `en`, `fr`, `bm`, or `und` where none of them reaches `CONFIDENCE_FLOOR`.
        confidence: Probability, 0 to 1, that `language_code` is right; for `und`, that the best guess would be wrong.
        scores: Probability of each of `en`, `fr` and `bm`; the rest up to 1 is the probability of any other language.
    """

    language_code: str
    confidence: float
    scores: Mapping[str, float] = field(default_factory=dict[str, float], hash=False)


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """A trained model.

    Attributes:
        keys: Hashes of the n-grams that have a weight of their own, ascending.
        weights: int8; one row per key, then one row per order for n-grams without a key; one column per language of
            `LANGUAGES`, relative to the class of all other languages, whose weights are zero.
        scale: The value of one step of a weight, one per language.
        bias: Added once per text, one per language.
    """

    keys: NDArray[np.uint32]
    weights: NDArray[np.int8]
    scale: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["keys"], arrays["weights"], arrays["scale"], arrays["bias"])

    def save(self, path: Path) -> None:
        """Write an `.npz` file; its bytes depend only on the values."""
        np.savez_compressed(path, keys=self.keys, weights=self.weights, scale=self.scale, bias=self.bias)

    def probabilities(self, normalised: str) -> NDArray[np.float64]:
        """Probability of each of `LANGUAGES`, then of any other, for a text that `normalise` returned."""
        rows = feature_rows(normalised, self.keys)
        sums = self.weights[rows].sum(axis=0, dtype=np.int64)
        logits = np.append(sums * self.scale / np.sqrt(len(rows)) + self.bias, 0.0)
        exponentials = np.exp(logits - logits.max())
        return exponentials / exponentials.sum()


def identify(text: str) -> Detection:
    """Identify the language of `text`, a word or a whole article.

    Any string is accepted. If it has more than 6,000 code points, only the first, middle and last 2,000 are read.
    Letter case, Unicode form, digits, punctuation, URLs, e-mail addresses and handles make no difference. A text that
    is not recognised is tried again as Bambara with tone marks or in old spelling. A text without letters is `und`
    with confidence 1.
    """
    sample = _sample(text)
    detection = _identify(sample)
    if detection.language_code == UNDETERMINED and (modern := modern_bambara(sample)) != sample:
        again = _identify(modern)
        return again if again.language_code == "bm" else detection
    return detection


def _identify(sample: str) -> Detection:
    normalised = normalise(sample)
    if not normalised:
        return Detection(UNDETERMINED, 1.0, dict.fromkeys(LANGUAGES, 0.0))
    scores: dict[str, float] = dict(zip(LANGUAGES, _shipped_weights().probabilities(normalised).tolist(), strict=False))
    guess = max(scores, key=scores.__getitem__)
    if scores[guess] < CONFIDENCE_FLOOR:
        return Detection(UNDETERMINED, 1.0 - scores[guess], scores)
    return Detection(guess, scores[guess], scores)


def normalise(text: str) -> str:
    """The words of `text` in lower case with one space between them; empty if it has no letters.

    Apostrophes inside words stay (`l'eau`, `k'a`). Marks that NFKC does not compose (tones on `ɔ`) are removed, and
    lookalikes that keyboards offer for ɛ and ɲ are replaced by these.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    text = " ".join(word for word in text.split() if not _is_address(word))
    text = _COMBINING_MARKS.sub("", text).translate(_LOOKALIKES)
    words = (word.strip("'") for word in _NOT_A_LETTER.sub(" ", text).split())
    return " ".join(word for word in words if word)


def ngram_hashes(normalised: str) -> list[NDArray[np.uint32]]:
    """Hashes of the n-grams of a text that `normalise` returned: one array per order, 1 to 5, in reading order.

    The text counts as having a space before and after it.
    """
    codes = np.frombuffer(f" {normalised} ".encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    latin = (codes < _END_OF_IPA) | ((codes >= _LATIN_ADDITIONAL) & (codes < _GREEK_EXTENDED))
    spread = np.where(latin, codes, _OTHER_SCRIPT) * _SPREAD
    by_order = [spread]
    for order in range(2, min(_MAX_ORDER, len(codes)) + 1):
        by_order.append(by_order[-1][:-1] * _MULTIPLIER + spread[order - 1 :] + np.uint32(order))
    return by_order


def feature_rows(normalised: str, keys: NDArray[np.uint32]) -> NDArray[np.intp]:
    """For each n-gram of a text its index in `keys`, or `len(keys) + order - 1` if it is not there."""
    by_order = ngram_hashes(normalised)
    hashes = np.concatenate(by_order)
    unknown = np.repeat(len(keys) + np.arange(len(by_order)), [len(part) for part in by_order])
    places = np.minimum(np.searchsorted(keys, hashes), len(keys) - 1)
    return np.where(keys[places] == hashes, places, unknown)


@cache
def _shipped_weights() -> Weights:
    return Weights.load(WEIGHTS_PATH)


def _sample(text: str) -> str:
    if len(text) <= 3 * _WINDOW:
        return text
    middle = (len(text) - _WINDOW) // 2
    return " ".join((text[:_WINDOW], text[middle : middle + _WINDOW], text[-_WINDOW:]))


def _is_address(word: str) -> bool:
    return "://" in word or "@" in word or word.startswith("www.")
