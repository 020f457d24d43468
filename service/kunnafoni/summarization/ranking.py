"""Ranks the sentences of an article (a graph ranking with a lead bias) and selects from them without repetition.

LexRank (Erkan & Radev 2004, JAIR 22): sentences are nodes, their cosine similarity is the weight of an edge, and the
PageRank vector of the graph is the score. The random jump goes to early and well-formed sentences more often (biased
LexRank, Otterbacher et al. 2009), as news says the most important things first. A selection takes one sentence after
the other by maximal marginal relevance (Carbonell & Goldstein 1998), so that it never takes two that say the same.

Similarity is TF-IDF over the character 5-grams of the words, with the sentences of the article as the documents: so
inflected forms of a word count as similar without a stemmer, which does not exist for Bambara. There is no model and no
randomness. The constants were chosen on OrangeSum dev without its first 150 documents; several values of the lead jump
were equal there, and the one that suits GUM (English) best was taken.

It does not know languages or where sentences end: it takes sentences in order and returns them in order.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from kunnafoni.checks.names.forms import folded
from kunnafoni.summarization.self_containedness import self_containedness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_SENTENCES = 1500
"""This many sentences are ranked, as the cost grows with the square of their number; later ones score 0."""

_DAMPING = 0.85  # Brin & Page 1998
_LEAD_JUMP, _LEVEL_JUMP = 3.0, 0.1  # the jump goes to the sentence at place i with weight level + lead / (1 + i)
_LEAD_FACTOR = 0.5  # the score is multiplied by 1 + factor / (1 + i)
_RELEVANCE = 0.6  # the lambda of maximal marginal relevance: with 1, sentences taken before do not count
_SAME = 0.7  # a sentence with this similarity repeats another
_MAX_LENGTH_FACTOR = 1.5  # "about 30 words" may be 45
_MIN_SCORE = 0.05  # a sentence with a smaller share of the best score is never selected


def rank(sentences: Sequence[str]) -> list[float]:
    """Score each sentence; one score per sentence, in order, from 0 to 1; the best is exactly 1 unless all are 0."""
    ranked = sentences[:MAX_SENTENCES]
    return [*_scores(ranked, _similarity(ranked)).tolist(), *[0.0] * (len(sentences) - len(ranked))]


def key_points(sentences: Sequence[str], count: int) -> list[int]:
    """Choose the `count` sentences that together say most; return their indices, rising.

    Fewer are returned if there are fewer, or if the others repeat a chosen one or do not belong to the story (headings,
    credits).
    """
    return _selection(sentences, [1] * len(sentences), about=count, at_most=count)


def extract(sentences: Sequence[str], words: int, *, max_words: int | None = None, existing: str = "") -> list[int]:
    """Choose the best summary of about `words` words (as `str.split` counts them); return indices, rising.

    Args:
        sentences: The sentences of an article, in order.
        words: The length asked for. Sentences are added as long as that brings the sum closer to it.
        max_words: How many words they may have together; None means 1.5 times `words`. Nothing is chosen if no sentence
            is that short.
        existing: A text that the summary already has: it does not count as words, and nothing in it is repeated.
    """
    lengths = [len(sentence.split()) for sentence in sentences]
    limit = int(_MAX_LENGTH_FACTOR * words) if max_words is None else max_words
    return _selection(sentences, lengths, about=words, at_most=limit, existing=existing)


def _selection(
    sentences: Sequence[str], costs: Sequence[int], *, about: int, at_most: int, existing: str = ""
) -> list[int]:
    """Take the sentence that adds most, repeatedly, while that brings the sum of costs closer to `about`."""
    ranked = sentences[:MAX_SENTENCES]
    similarity = _similarity([*ranked, existing])
    closest, similarity = similarity[-1, :-1], similarity[:-1, :-1]
    scores = _scores(ranked, similarity)
    places = [place for place, score in enumerate(scores) if score > _MIN_SCORE]
    chosen: list[int] = []
    total = 0
    while True:
        most = min(at_most - total, 2 * (about - total) - 1 if chosen else at_most)
        places = [place for place in places if costs[place] <= most and closest[place] < _SAME]
        if not places:
            return sorted(chosen)
        gain = _RELEVANCE * scores - (1 - _RELEVANCE) * closest
        best = max(places, key=gain.__getitem__)
        places.remove(best)
        chosen.append(best)
        total += costs[best]
        closest = np.maximum(closest, similarity[best])


def _scores(sentences: Sequence[str], similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.array(self_containedness(sentences))
    lead = 1 / (1 + np.arange(len(sentences)))
    centrality = _centrality(similarity, jump=weights * (_LEVEL_JUMP + _LEAD_JUMP * lead))
    scores = centrality * weights * (1 + _LEAD_FACTOR * lead)
    return scores / max(scores.max(initial=0.0), np.finfo(float).tiny)


def _centrality(similarity: NDArray[np.float64], *, jump: NDArray[np.float64]) -> NDArray[np.float64]:
    """The PageRank vector of a similarity graph by power iteration; zeros if there is nowhere to jump."""
    if not jump.sum():
        return np.zeros(len(jump))
    jump = jump / jump.sum()
    edges = similarity - np.diag(np.diag(similarity))
    degrees = edges.sum(axis=1, keepdims=True)
    steps = np.where(degrees > 0, edges / np.where(degrees > 0, degrees, 1), jump)
    vector = jump
    for _ in range(_MAX_STEPS):
        following = (1 - _DAMPING) * jump + _DAMPING * (vector @ steps)
        if np.abs(following - vector).sum() < _CONVERGED:
            break
        vector = following
    return vector


_MAX_STEPS, _CONVERGED = 100, 1e-8

_GRAM = 5
_WORD = re.compile(r"[^\W_]+")
_MAX_WORDS = 100  # words of one sentence that are compared; a longer one is a table or lacks a full stop


def _similarity(sentences: Sequence[str]) -> NDArray[np.float64]:
    """Cosine of the TF-IDF vectors of all pairs of sentences: 1 of a sentence with itself, 0 if it has no words."""
    grams = [Counter(_grams(sentence)) for sentence in sentences]
    frequency = Counter(gram for counts in grams for gram in counts)
    columns = {gram: place for place, gram in enumerate(gram for gram, times in frequency.items() if times > 1)}
    weights = np.zeros((len(sentences), len(columns)), dtype=np.float32)
    norms = np.zeros(len(sentences))
    for row, counts in enumerate(grams):
        for gram, times in counts.items():
            weight = (1 + math.log(times)) * math.log((1 + len(sentences)) / frequency[gram])
            norms[row] += weight**2
            if gram in columns:  # an n-gram in one sentence only adds to its norm but to no product
                weights[row, columns[gram]] = weight
    scale = 1 / np.sqrt(np.where(norms > 0, norms, 1))
    products = (weights @ weights.T).astype(np.float64) * np.outer(scale, scale)
    np.fill_diagonal(products, norms > 0)
    return products


def _grams(sentence: str) -> list[str]:
    words = (f" {folded(word)} " for word in _WORD.findall(sentence)[:_MAX_WORDS])
    return [word[start : start + _GRAM] for word in words for start in range(max(1, len(word) - _GRAM + 1))]
