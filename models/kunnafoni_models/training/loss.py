"""The head and its loss in one: cross-entropy of targets under a large vocabulary, and both gradients made at once.

The logits of a step are by far its largest tensor. They exist once, in a block that is kept from step to step, and are
turned into their own gradient in place, a few rows at a time. It knows a matrix and numbers of tokens, no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kunnafoni_models.training.typed_torch import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

# Rows of logits worked on at once, so that their float32 copies stay small: in a processor's caches, or in a GPU's
# memory, where every piece of work has to be started.
_ROWS_AT_ONCE = {"cpu": 128, "cuda": 4096}
# The logit of columns that are no token; its exponential is 0 in every format.
_NO_TOKEN = -1e4


class OutputHead:
    """Losses and gradients under the embedding as the head.

    Args:
        embedding: [padded vocabulary, hidden] in the compute type; its rows past `vocabulary` are no tokens, and 0.
        vocabulary: Number of tokens.
        most_targets: Most targets of a step.
        smoothing: Share of the targets' probability that is spread over all tokens in the gradients (label smoothing,
            Szegedy et al. 2016); the losses that are told are without it.
        compile: Compile the work on the logits.
    """

    def __init__(
        self,
        embedding: Tensor,
        *,
        vocabulary: int,
        most_targets: int,
        smoothing: float,
        compile: bool,  # noqa: A002
    ) -> None:
        self._embedding = embedding
        self._vocabulary = vocabulary
        self._smoothing = smoothing
        self._rows_at_once = _ROWS_AT_ONCE[embedding.device.type]
        # Room that is never written to takes no memory.
        self._block = embedding.new_empty(most_targets, len(embedding))
        self._gradient: Tensor | None = None
        self._to_gradient = compiled(_to_gradient, wanted=compile)

    @torch.no_grad()
    def loss_and_gradients(self, hidden: Tensor, targets: Tensor, *, into: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy of `targets` [n] under `hidden` [n, hidden size].

        Args:
            hidden: Where the targets are predicted.
            targets: What comes there.
            into: Room for the gradient for the embedding, [vocabulary, hidden size], to be overwritten; None if it is
                not wanted.

        Returns:
            The mean in nats as a float32 scalar; its gradient for `hidden`.
        """
        logits = self._padded_logits(hidden)
        gold_shares = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
        per_token = self._smoothing / self._vocabulary
        for here in self._pieces(len(targets)):
            gold_shares[here] = self._to_gradient(
                logits[here], targets[here], 1.0 / len(targets), per_token, self._smoothing
            )
        if into is not None:
            if self._gradient is None:
                self._gradient = torch.empty_like(self._embedding)
            torch.mm(logits.t(), hidden, out=self._gradient)
            into.copy_(self._gradient[: self._vocabulary])
        return -gold_shares.mean(), logits @ self._embedding

    @torch.no_grad()
    def summed_loss(self, hidden: Tensor, targets: Tensor) -> float:
        """Sum of the cross-entropies of `targets` [n] under `hidden` [n, hidden size], in nats."""
        total = 0.0
        for here in self._pieces(len(targets)):
            logits = self._padded_logits(hidden[here]).float()
            total += torch.nn.functional.cross_entropy(logits, targets[here], reduction="sum").item()
        return total

    @torch.no_grad()
    def right(self, hidden: Tensor, targets: Tensor) -> Tensor:
        """Which of `targets` [n] are the most likely tokens under `hidden` [n, hidden size]: bool [n]."""
        found = torch.empty_like(targets, dtype=torch.bool)
        for here in self._pieces(len(targets)):
            found[here] = self._padded_logits(hidden[here]).argmax(1) == targets[here]
        return found

    def _pieces(self, rows: int) -> Iterator[slice]:
        for start in range(0, rows, self._rows_at_once):
            yield slice(start, start + self._rows_at_once)

    def _padded_logits(self, hidden: Tensor) -> Tensor:
        """Logits [n, padded vocabulary] for `hidden` [n, hidden size], in room that the next call uses again."""
        logits = torch.mm(hidden, self._embedding.t(), out=self._block[: len(hidden)])
        logits[:, self._vocabulary :] = _NO_TOKEN
        return logits


def _to_gradient(logits: Tensor, targets: Tensor, share: float, per_token: float, smoothing: float) -> Tensor:
    """Turn `logits` into their gradient, in place, and give the log-probabilities of the targets."""
    values = logits.float()
    largest = values.amax(1, keepdim=True)
    log_sums = largest + (values - largest).exp().sum(1, keepdim=True).log()
    at = targets[:, None]
    gold = values.gather(1, at) - log_sums
    logits.copy_((((values - log_sums).exp() - per_token) * share).to(logits.dtype))
    logits.scatter_(1, at, ((gold.exp() - per_token - (1.0 - smoothing)) * share).to(logits.dtype))
    return gold.squeeze(1)
