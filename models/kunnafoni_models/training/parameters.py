"""The trained parameters: float32 masters, and copies of them in the compute type.

It knows how Hugging Face's tensors map to the network's halves. How a step changes the masters is `updates`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from kunnafoni_models.training.int8_grid import on_grid
from kunnafoni_models.training.network import LayerWeights, Matrix
from kunnafoni_models.training.typed_torch import compiled
from kunnafoni_models.training.typed_torch import split as in_runs
from kunnafoni_models.training.updates import EMBEDDING, FullUpdate, LowRankUpdate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from kunnafoni_models.gemma.architecture import Architecture
    from kunnafoni_models.training.options import TrainingOptions
    from kunnafoni_models.training.precision import Machine
    from kunnafoni_models.training.updates import Update

LAST_NORM = "last_norm"
# Products are faster with rows of logits that end on a boundary of the processor's lines.
_VOCABULARY_IN_STEPS_OF = 64
# Rows put on the int8 grid at once, so that what lies between is small.
_ROWS_AT_ONCE = 8192
_MASTER = "master."
_WHOLE = {
    "input_norm": "input_layernorm",
    "value": "self_attn.v_proj",
    "output": "self_attn.o_proj",
    "attended_norm": "post_attention_layernorm",
    "feed_forward_norm": "pre_feedforward_layernorm",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
    "fed_forward_norm": "post_feedforward_layernorm",
}
_HALVED = {
    "query": "self_attn.q_proj",
    "key": "self_attn.k_proj",
    "query_norm": "self_attn.q_norm",
    "key_norm": "self_attn.k_norm",
}


class Parameters:
    """Everything that a step reads and changes.

    Norms stay as they are: in trials their training made no difference.

    Attributes:
        layers: What `Network.run` takes; gradients collect on its matrices.
        embedding: [padded vocabulary, hidden] in the compute type; no gradients collect on it.
        embedding_gradient: See `Update`.
        change: What a run of low rank has changed; None if every weight is trained.
        last_norm: float32.

    Args:
        tensors: float32, by their Hugging Face names.
        architecture: Their sizes.
        machine: Device and compute type.
        options: What a step changes, and at what rates.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], architecture: Architecture, machine: Machine, options: TrainingOptions
    ) -> None:
        self._architecture = architecture
        named = {name: part.to(machine.device) for name, part in split(tensors, architecture).items()}
        self._norms = {name: part for name, part in named.items() if part.dim() == 1}
        self._masters = {name: part for name, part in named.items() if part.dim() > 1}
        self.change = LowRankUpdate(self._masters, options) if options.low_rank else None
        self._update: Update = self.change or FullUpdate(self._masters, options)
        self.embedding_gradient = self._update.embedding_gradient
        self._copy_on_grid = compiled(_copy_on_grid, wanted=machine.compile)
        self._compute = {
            name: part.to(machine.dtype, copy=True) for name, part in self._masters.items() if name != EMBEDDING
        }
        factors = self.change.factors if self.change else {}
        self._factors = {name: part.detach().to(machine.dtype, copy=True) for name, part in factors.items()}
        self._trained = self._factors or self._compute
        for part in self._trained.values():
            part.requires_grad_()
        vocabulary = architecture.vocabulary
        padded = -(-vocabulary // _VOCABULARY_IN_STEPS_OF) * _VOCABULARY_IN_STEPS_OF
        self.embedding: Tensor = torch.zeros(padded, architecture.hidden, dtype=machine.dtype, device=machine.device)
        self._embedding_on_grid: bool | None = None
        self.last_norm = self._norms[LAST_NORM]
        found: dict[str, Any] = {**self._norms, **{name: self._matrix(name) for name in self._compute}}
        self.layers = [
            LayerWeights(*(found[f"{layer}.{field}"] for field in LayerWeights._fields))
            for layer in range(architecture.layers)
        ]

    def _matrix(self, name: str) -> Matrix:
        whole = self._compute[name]
        if not self.change:
            return Matrix(whole)
        return Matrix(whole, *(self._factors[factor] for factor in self.change.names(name)))

    def refresh(self, *, int8_grid: bool) -> None:
        """Make the copies from the masters, rounded to the int8 grid or as they are."""
        with torch.no_grad():
            for name, master in self._masters.items():
                if name == EMBEDDING and self.change and self._embedding_on_grid == int8_grid:
                    continue  # it is as it was
                copy = self.embedding[: len(master)] if name == EMBEDDING else self._compute[name]
                if int8_grid:
                    for rows, room in zip(in_runs(master, _ROWS_AT_ONCE), in_runs(copy, _ROWS_AT_ONCE), strict=True):
                        self._copy_on_grid(rows, room)
                else:
                    copy.copy_(master)
            self._embedding_on_grid = int8_grid
            for name, factor in (self.change.factors if self.change else {}).items():
                self._factors[name].copy_(factor)

    @torch.no_grad()
    def step(self, *, rate: float) -> None:
        """Change the masters by the gradients, at `rate` times the peak rates.

        Raises:
            DivergedError: A gradient is no number; the masters are as they were.
        """
        for name, copy in self._trained.items():
            if copy.grad is not None:
                self._update.take(name, copy.grad)
                copy.grad = None
        self._update.step(rate=rate)

    def keep(self, share: float) -> None:
        """Forget the rest of what has changed since the start."""
        self._update.keep(share)

    def tensors(self) -> dict[str, Tensor]:
        """The masters and norms, by their Hugging Face names."""
        return joined(self._masters | self._norms, self._architecture)

    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, without copies."""
        return {f"{_MASTER}{name}": part for name, part in (self._masters | self._norms).items()} | self._update.state()

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go back to what `state` gave."""
        for name, part in (self._masters | self._norms).items():
            part.copy_(state[f"{_MASTER}{name}"])
        self._update.load(state)


def split(tensors: Mapping[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """Hugging Face's tensors as the network's, in memory of their own: the halves of queries and keys apart."""
    parts = {
        EMBEDDING: tensors["model.embed_tokens.weight"].clone(),
        LAST_NORM: tensors["model.norm.weight"].clone(),
    }
    for layer in range(architecture.layers):
        for ours, theirs in _WHOLE.items():
            parts[f"{layer}.{ours}"] = tensors[f"model.layers.{layer}.{theirs}.weight"].clone()
        for ours, theirs in _HALVED.items():
            whole = tensors[f"model.layers.{layer}.{theirs}.weight"]
            halves = whole.reshape(-1, 2, architecture.head_size // 2, *whole.shape[1:]).unbind(1)
            for number, half in enumerate(halves, 1):
                name = f"{layer}.{ours}_{number}"
                parts[name] = half.reshape(-1, *whole.shape[1:]).clone()
    return parts


def joined(parts: Mapping[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """The opposite of `split`, on the processor; parts that are not halved share their memory."""
    tensors = {
        "model.embed_tokens.weight": parts[EMBEDDING].detach().cpu(),
        "model.norm.weight": parts[LAST_NORM].detach().cpu(),
    }
    half = architecture.head_size // 2
    for layer in range(architecture.layers):
        for ours, theirs in _WHOLE.items():
            tensors[f"model.layers.{layer}.{theirs}.weight"] = parts[f"{layer}.{ours}"].detach().cpu()
        for ours, theirs in _HALVED.items():
            halves = [parts[f"{layer}.{ours}_{number}"].detach().cpu() for number in (1, 2)]
            shape = halves[0].shape[1:]
            whole = torch.stack([each.reshape(-1, half, *shape) for each in halves], 1)
            tensors[f"model.layers.{layer}.{theirs}.weight"] = whole.reshape(-1, *shape)
    return tensors


def masters_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parts that `joined` takes, out of what `Parameters.state` gave."""
    return {name.removeprefix(_MASTER): part for name, part in state.items() if name.startswith(_MASTER)}


def _copy_on_grid(matrix: Tensor, into: Tensor) -> None:
    into.copy_(on_grid(matrix))
