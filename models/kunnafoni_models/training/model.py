"""Network, parameters and head put together: batches in, losses and changed parameters out.

It knows no schedule, no order of rows and no files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kunnafoni_models.training.loss import OutputHead
from kunnafoni_models.training.network import Network, rms_norm
from kunnafoni_models.training.parameters import Parameters
from kunnafoni_models.training.typed_torch import backward

if TYPE_CHECKING:
    from torch import Tensor

    from kunnafoni_models.training.batches import Batch
    from kunnafoni_models.training.options import TrainingOptions
    from kunnafoni_models.training.precision import Machine
    from kunnafoni_models.training.weights import Weights

# Two seeds have no step's draw in common in runs shorter than this.
_STEPS_OF_A_SEED = 10_000_000
# Of torch's generators.
_SEEDS = 1 << 63


class TrainedModel:
    """A model in training.

    Attributes:
        parameters: Its parameters. Call `parameters.refresh` after they changed and before the next batch.

    Args:
        weights: Where it starts; not changed.
        machine: Device, compute type, compiler.
        options: Sizes of batches, rates.
    """

    def __init__(self, weights: Weights, machine: Machine, options: TrainingOptions) -> None:
        self.parameters = Parameters(weights.tensors, weights.architecture, machine, options)
        self._dtype = machine.dtype
        self._network = Network(
            weights.architecture,
            # A row of the longest kind is filled up to a rounded length.
            longest=options.max_tokens + 8,
            device=machine.device,
            compile=machine.compile,
        )
        self._dropout, self._seed = options.dropout, options.seed
        self._draw = torch.Generator(machine.device)
        self._head = OutputHead(
            self.parameters.embedding,
            vocabulary=weights.architecture.vocabulary,
            most_targets=options.batch_tokens,
            smoothing=options.label_smoothing,
            compile=machine.compile,
        )

    def learn(self, batch: Batch, *, step: int, rate: float) -> float:
        """Train one step on `batch` and give its mean loss, in nats a target token, before the step.

        Args:
            batch: What to learn.
            step: Number of the step, which with the seed says what is dropped.
            rate: Share of the peak rates.

        Raises:
            DivergedError: The gradients are no numbers any more; the parameters are as they were.
        """
        wanted = self.parameters.embedding_gradient
        embedded = self._embedded(batch).requires_grad_(wanted is not None)
        self._draw.manual_seed((self._seed * _STEPS_OF_A_SEED + step) % _SEEDS)
        hidden = self._hidden(embedded, batch, dropout=self._dropout)
        loss, gradient = self._head.loss_and_gradients(hidden.detach(), batch.targets, into=wanted)
        backward(hidden, gradient)
        if wanted is not None:
            assert embedded.grad is not None  # noqa: S101 - every row has a target
            self._network.embedding_gradient(embedded.grad, batch.tokens, wanted)
        self.parameters.step(rate=rate)
        return loss.item()

    @torch.no_grad()
    def summed_loss(self, batch: Batch) -> float:
        """Sum of the losses of the batch's targets, in nats."""
        return self._head.summed_loss(self._hidden(self._embedded(batch), batch), batch.targets)

    @torch.no_grad()
    def right(self, batch: Batch) -> Tensor:
        """Which of the batch's targets are the most likely token after what stands before them: bool [targets]."""
        return self._head.right(self._hidden(self._embedded(batch), batch), batch.targets)

    def _embedded(self, batch: Batch) -> Tensor:
        return self._network.embed(batch.tokens, self.parameters.embedding)

    def _hidden(self, embedded: Tensor, batch: Batch, *, dropout: float = 0.0) -> Tensor:
        stream = self._network.run(embedded, self.parameters.layers, dropout=dropout, draw=self._draw)
        at_targets = stream.reshape(-1, stream.shape[-1])[batch.positions]
        return rms_norm(at_targets, self.parameters.last_norm).to(self._dtype)
