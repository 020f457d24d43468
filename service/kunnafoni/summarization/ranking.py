"""Which sentences carry an article: a graph ranking with a lead bias, and selections from it without repetition.

LexRank (Erkan & Radev 2004, JAIR 22): sentences are nodes, their cosine similarity is the weight of an edge, and the
PageRank vector of the graph is the score. The random jump goes to early and well-formed sentences more often (biased
LexRank, Otterbacher et al. 2009), as news tells the main thing first. A selection takes one sentence after the other by
maximal marginal relevance (Carbonell & Goldstein 1998), so that two that say the same are not both taken.

Similarity is TF-IDF over the character 5-grams of the words, the article its own collection: inflected forms of a word
meet without a stemmer, which Bambara does not have. No model, no randomness. Constants were chosen on OrangeSum dev
without its first 150 documents; of those that were equal there, the lead jump is the one that suits GUM (English) best.

It does not know languages, nor where sentences end or stand: order in, order out.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from kunnafoni.checks.names.forms import folded
from kunnafoni.summarization.self_containedness import stand_alone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_SENTENCES = 1500
"""Sentences that are ranked; those after them score 0 (cost grows with the square of their number)."""

_DAMPING = 0.85  # Brin & Page 1998
_LEAD_JUMP, _LEVEL_JUMP = 3.0, 0.1  # the jump goes to the sentence at place i with weight level + lead / (1 + i)
_LEAD_FACTOR = 0.5  # the score is multiplied by 1 + factor / (1 + i)
_RELEVANCE = 0.6  # the lambda of maximal marginal relevance: 1 takes no notice of what was taken before
_SAME = 0.7  # similarity from which one sentence repeats another
_MOST_OF_ASKED = 1.5  # what "about 30 words" may be: 45
_LEAST_SCORE = 0.05  # share of the best score under which a sentence tells nothing


def rank(sentences: Sequence[str]) -> list[float]:
    """Score each sentence; one score a sentence, in order, from 0 to 1, the best exactly 1 unless all are 0."""
    ranked = sentences[:MAX_SENTENCES]
    return [*_scores(ranked, _similarity(ranked)).tolist(), *[0.0] * (len(sentences) - len(ranked))]


def key_points(sentences: Sequence[str], count: int) -> list[int]:
    """Choose the `count` sentences that together tell most; their places, rising.

    Fewer come back if there are fewer, or if the rest repeat one that was taken or are no part of the story (a heading,
    a credit).
    """
    return _selection(sentences, [1] * len(sentences), about=count, at_most=count)


def extract(sentences: Sequence[str], words: int, *, max_words: int | None = None, beside: str = "") -> list[int]:
    """Choose the best summary of about `words` words (as `str.split` counts them); places, rising.

    Args:
        sentences: The sentences of an article, in order.
        words: The length asked for. Sentences are added as long as that brings the sum closer to it.
        max_words: What they may have together; None is half as much again as asked for. Nothing is chosen if no
            sentence is that short.
        beside: A text that the summary has already: it counts as no words, and what it says is not said again.
    """
    lengths = [len(sentence.split()) for sentence in sentences]
    limit = int(_MOST_OF_ASKED * words) if max_words is None else max_words
    return _selection(sentences, lengths, about=words, at_most=limit, beside=beside)


def _selection(
    sentences: Sequence[str], costs: Sequence[int], *, about: int, at_most: int, beside: str = ""
) -> list[int]:
    """Take the sentence that adds most, again and again, while the sum of costs comes closer to `about`."""
    ranked = sentences[:MAX_SENTENCES]
    similarity = _similarity([*ranked, beside])
    closest, similarity = similarity[-1, :-1], similarity[:-1, :-1]
    scores = _scores(ranked, similarity)
    places = [place for place, score in enumerate(scores) if score > _LEAST_SCORE]
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
    form = np.array(stand_alone(sentences))
    lead = 1 / (1 + np.arange(len(sentences)))
    scores = _centrality(similarity, jump=form * (_LEVEL_JUMP + _LEAD_JUMP * lead)) * form * (1 + _LEAD_FACTOR * lead)
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
    for _ in range(_MOST_STEPS):
        following = (1 - _DAMPING) * jump + _DAMPING * (vector @ steps)
        if np.abs(following - vector).sum() < _CONVERGED:
            break
        vector = following
    return vector


_MOST_STEPS, _CONVERGED = 100, 1e-8

_GRAM = 5
_WORD = re.compile(r"[^\W_]+")
_MOST_WORDS = 100  # of one sentence that are compared; more are a table or a lost full stop


def _similarity(sentences: Sequence[str]) -> NDArray[np.float64]:
    """Cosine of the TF-IDF vectors of each sentence with each; 1 with itself, 0 if it has no words."""
    grams = [Counter(_grams(sentence)) for sentence in sentences]
    frequency = Counter(gram for counts in grams for gram in counts)
    columns = {gram: place for place, gram in enumerate(gram for gram, times in frequency.items() if times > 1)}
    weights = np.zeros((len(sentences), len(columns)), dtype=np.float32)
    norms = np.zeros(len(sentences))
    for row, counts in enumerate(grams):
        for gram, times in counts.items():
            weight = (1 + math.log(times)) * math.log((1 + len(sentences)) / frequency[gram])
            norms[row] += weight**2
            if gram in columns:  # a gram of one sentence alone adds to its norm and to no product
                weights[row, columns[gram]] = weight
    scale = 1 / np.sqrt(np.where(norms > 0, norms, 1))
    products = (weights @ weights.T).astype(np.float64) * np.outer(scale, scale)
    np.fill_diagonal(products, norms > 0)
    return products


def _grams(sentence: str) -> list[str]:
    words = (f" {folded(word)} " for word in _WORD.findall(sentence)[:_MOST_WORDS])
    return [word[start : start + _GRAM] for word in words for start in range(max(1, len(word) - _GRAM + 1))]
