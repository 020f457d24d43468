"""The search by beams of one row: which hypotheses go on, and when it is over.

At each step the likeliest continuations of all hypotheses go on, and one that ends makes room for the next likeliest.
It is over when as many have ended as the beam is wide, or at the cap; the best is the likeliest a token. So does
CTranslate2 with its defaults (`length_penalty` and `patience` 1), on whose answers the figures of the model rest.
It knows token numbers and scores, no seats and no runtime.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(slots=True)
class Hypothesis:
    """What a row may come to say.

    Attributes:
        tokens: So far, the end token not among them.
        score: Natural logarithm of its probability.
    """

    tokens: list[int] = field(default_factory=list[int])
    score: float = 0.0


class Child(NamedTuple):
    """A hypothesis and the place of the one that it continues."""

    parent: int
    hypothesis: Hypothesis


@dataclass(slots=True)
class Beam:
    """The search of one row.

    Attributes:
        size: Hypotheses that go on at each step.
        max_tokens: The cap.
        ended: Hypotheses that are complete, each with its score a token, the end token among them.
    """

    size: int
    max_tokens: int
    ended: list[tuple[float, Hypothesis]] = field(default_factory=list[tuple[float, Hypothesis]])

    @property
    def best(self) -> Hypothesis:
        """The likeliest a token of those that have ended; the first of equals."""
        return max(self.ended, key=itemgetter(0))[1]

    def advance(self, hypotheses: Sequence[Hypothesis], logits: NDArray[np.float32], *, end: int) -> list[Child]:
        """Take the next token of each hypothesis that goes on, and give those that do; none when it is over.

        Args:
            hypotheses: As the last call gave them; at first a single empty one.
            logits: Of what follows each of them, hypotheses x vocabulary.
            end: The end token's number.
        """
        going: list[Child] = []
        candidates = self._likeliest(hypotheses, logits)
        for number, (parent, token, score) in enumerate(candidates):
            said = hypotheses[parent].tokens
            hypothesis = Hypothesis(said if token == end else [*said, token], score)
            if token != end and len(hypothesis.tokens) < self.max_tokens:
                going.append(Child(parent, hypothesis))
            elif number < self.size:
                self.ended.append((score / (len(said) + 1), hypothesis))
        return [] if len(self.ended) >= self.size else going[: self.size]

    def _likeliest(self, hypotheses: Sequence[Hypothesis], logits: NDArray[np.float32]) -> list[tuple[int, int, float]]:
        """Place of the hypothesis, next token and score: twice as many as go on, the likeliest first."""
        width = logits.shape[1]
        highest = logits.max(axis=1, keepdims=True)
        totals = highest + np.log(np.exp(logits - highest).sum(axis=1, keepdims=True))
        before = np.array([[hypothesis.score] for hypothesis in hypotheses], np.float32)
        scores = (logits - totals + before).ravel()
        least = np.partition(scores, -2 * self.size)[-2 * self.size]
        places = np.flatnonzero(scores >= least)
        places = places[np.argsort(-scores[places], kind="stable")][: 2 * self.size]
        return [(int(place) // width, int(place) % width, float(scores[place])) for place in places]
