"""The beam search of one sequence: which hypotheses continue, and when the search is over.

At each step the likeliest continuations of all hypotheses continue; one that ends leaves its place to the next
likeliest. The search is over when as many hypotheses have ended as the beam is wide, or at the cap. The best hypothesis
is the one with the highest log-probability per token. CTranslate2 does the same with its defaults (`length_penalty` and
`patience` of 1), and the model's published figures rest on its outputs. The module knows token ids and scores, no
KV-cache slots and no runtime.
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
    """One possible output of a sequence, complete or not.

    Attributes:
        tokens: Token ids so far, the end token not among them.
        score: Natural logarithm of its probability.
    """

    tokens: list[int] = field(default_factory=list[int])
    score: float = 0.0


class Continuation(NamedTuple):
    """A hypothesis that is one token longer, and the index of the hypothesis that it continues."""

    parent: int
    hypothesis: Hypothesis


@dataclass(slots=True)
class Beam:
    """The search of one sequence.

    Attributes:
        size: Hypotheses that continue at each step.
        max_tokens: The output cap.
        finished: Complete hypotheses, each with its score per token; the end token counts as a token.
    """

    size: int
    max_tokens: int
    finished: list[tuple[float, Hypothesis]] = field(default_factory=list[tuple[float, Hypothesis]])

    @property
    def best(self) -> Hypothesis:
        """The finished hypothesis with the highest score per token; the first one of equals."""
        return max(self.finished, key=itemgetter(0))[1]

    def advance(
        self, hypotheses: Sequence[Hypothesis], logits: NDArray[np.float32], *, end_id: int
    ) -> list[Continuation]:
        """Take the next token of each hypothesis and return those that continue; an empty list when the search is over.

        Args:
            hypotheses: As the last call returned them; a single empty one at first.
            logits: Of the token after each hypothesis, hypotheses x vocabulary.
            end_id: Id of the end token.
        """
        continuing: list[Continuation] = []
        candidates = self._likeliest(hypotheses, logits)
        for rank, (parent, token, score) in enumerate(candidates):
            before = hypotheses[parent].tokens
            hypothesis = Hypothesis(before if token == end_id else [*before, token], score)
            if token != end_id and len(hypothesis.tokens) < self.max_tokens:
                continuing.append(Continuation(parent, hypothesis))
            elif rank < self.size:
                self.finished.append((score / (len(before) + 1), hypothesis))
        return [] if len(self.finished) >= self.size else continuing[: self.size]

    def _likeliest(self, hypotheses: Sequence[Hypothesis], logits: NDArray[np.float32]) -> list[tuple[int, int, float]]:
        """Index of the hypothesis, next token and score: twice as many as the beam is wide, the likeliest first."""
        vocabulary = logits.shape[1]
        highest = logits.max(axis=1, keepdims=True)
        log_sums = highest + np.log(np.exp(logits - highest).sum(axis=1, keepdims=True))
        scores_before = np.array([[hypothesis.score] for hypothesis in hypotheses], np.float32)
        scores = (logits - log_sums + scores_before).ravel()
        threshold = np.partition(scores, -2 * self.size)[-2 * self.size]
        indices = np.flatnonzero(scores >= threshold)
        indices = indices[np.argsort(-scores[indices], kind="stable")][: 2 * self.size]
        return [(int(index) // vocabulary, int(index) % vocabulary, float(scores[index])) for index in indices]
