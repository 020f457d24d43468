"""How well a model predicts rows that it was not trained on. What to make of the figures is the caller's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kunnafoni_models.training.batches import epoch_order, rectangle

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import torch

    from kunnafoni_models.training.batches import Batch
    from kunnafoni_models.training.corpus import Row
    from kunnafoni_models.training.encoding import EncodedRows, RowEncoder
    from kunnafoni_models.training.model import TrainedModel
    from kunnafoni_models.training.options import TrainingOptions


class Evaluation:
    """Dev rows, encoded once.

    Args:
        dev_rows: By the name that their figure is to have. Weights of rows do not count here.
        encoder: Of the model that is evaluated.
        options: Longest row, size of batches.
        device: Of the model.

    Raises:
        RowsError: A set is empty, has only rows that are too long, or has a task that the model has no prompt for.
    """

    def __init__(
        self,
        dev_rows: Mapping[str, Sequence[Row]],
        encoder: RowEncoder,
        options: TrainingOptions,
        device: torch.device,
    ) -> None:
        self._sets = {
            name: encoder.encode([replace(row, weight=1.0) for row in rows], max_tokens=options.max_tokens)
            for name, rows in dev_rows.items()
        }
        self._batch_tokens = options.batch_tokens
        self._device = device

    def measure(self, model: TrainedModel) -> dict[str, float]:
        """Negative log-likelihood of each set's targets, in nats a character, end tokens not counted."""
        return {name: self._loss(model, rows) / int(rows.characters.sum()) for name, rows in self._sets.items()}

    def right(self, model: TrainedModel) -> int:
        """How many target tokens are the most likely after those before them, what greedy decoding goes by."""
        return sum(
            int(model.right(batch).sum().item()) for rows in self._sets.values() for batch in self._batches(rows)
        )

    def _loss(self, model: TrainedModel, rows: EncodedRows) -> float:
        return sum(map(model.summed_loss, self._batches(rows)))

    def _batches(self, rows: EncodedRows) -> Iterator[Batch]:
        for numbers in epoch_order(rows, batch_tokens=self._batch_tokens, seed=0, epoch=0):
            yield rectangle(rows, numbers, device=self._device, with_end=False)
