"""The trained parameters: float32 masters, copies in the compute type, gradients, and the optimiser over them.

It knows how Hugging Face's tensors map to the network's halves. It does not know losses or schedules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kunnafoni_models.training.errors import DivergedError
from kunnafoni_models.training.int8_grid import on_grid
from kunnafoni_models.training.network import LayerWeights
from kunnafoni_models.training.typed_torch import compiled
from kunnafoni_models.training.typed_torch import split as in_runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from kunnafoni_models.training.architecture import Architecture
    from kunnafoni_models.training.options import TrainingOptions
    from kunnafoni_models.training.precision import Machine

EMBEDDING, LAST_NORM = "embedding", "last_norm"
# Second moments over 50 steps: batches are small and of rows of one length, and the usual 1000 come too late.
_BETAS = (0.9, 0.98)
_CLIP_AT = 1.0
# Products are faster with rows of logits that end on a boundary of the processor's lines.
_VOCABULARY_IN_STEPS_OF = 64
# Rows put on the int8 grid at once, so that what lies between is small.
_ROWS_AT_ONCE = 8192
_MASTER, _OPTIMISER = "master.", "optimiser."
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
        embedding_gradient: [vocabulary, hidden] in float32, for the caller to fill before `step`.
        last_norm: float32.

    Args:
        tensors: float32, by their Hugging Face names.
        architecture: Their sizes.
        machine: Device and compute type.
        options: Rates of the optimiser, new rows, anchor.
    """

    def __init__(
        self, tensors: Mapping[str, Tensor], architecture: Architecture, machine: Machine, options: TrainingOptions
    ) -> None:
        self._architecture = architecture
        self._anchor_weight = options.anchor_weight
        named = {name: part.to(machine.device) for name, part in split(tensors, architecture).items()}
        self._norms = {name: part for name, part in named.items() if part.dim() == 1}
        self._masters = {name: part for name, part in named.items() if part.dim() > 1}
        self._gradients = {name: torch.zeros_like(part) for name, part in self._masters.items()}
        self._anchors = {name: part.clone() for name, part in self._masters.items() if options.anchor_weight}
        self.embedding_gradient = self._gradients[EMBEDDING]
        self._copy_on_grid = compiled(_copy_on_grid, wanted=machine.compile)
        self._compute = {
            name: part.to(machine.dtype, copy=True).requires_grad_()
            for name, part in self._masters.items()
            if name != EMBEDDING
        }
        vocabulary = architecture.vocabulary
        padded = -(-vocabulary // _VOCABULARY_IN_STEPS_OF) * _VOCABULARY_IN_STEPS_OF
        self.embedding: Tensor = torch.zeros(padded, architecture.hidden, dtype=machine.dtype, device=machine.device)
        self.last_norm = self._norms[LAST_NORM]
        found = self._norms | self._compute
        self.layers = [
            LayerWeights(*(found[f"{layer}.{field}"] for field in LayerWeights._fields))
            for layer in range(architecture.layers)
        ]
        self._optimiser = self._make_optimiser(options)

    def refresh(self, *, int8_grid: bool) -> None:
        """Make the copies from the masters, rounded to the int8 grid or as they are."""
        with torch.no_grad():
            for name, master in self._masters.items():
                copy = self.embedding[: len(master)] if name == EMBEDDING else self._compute[name]
                if int8_grid:
                    for rows, room in zip(in_runs(master, _ROWS_AT_ONCE), in_runs(copy, _ROWS_AT_ONCE), strict=True):
                        self._copy_on_grid(rows, room)
                else:
                    copy.copy_(master)

    @torch.no_grad()
    def step(self, *, rate: float) -> None:
        """Change the masters by the gradients, at `rate` times the peak rates.

        Raises:
            DivergedError: A gradient is no number; the masters are as they were.
        """
        for name, copy in self._compute.items():
            if copy.grad is not None:
                self._gradients[name].copy_(copy.grad)
                copy.grad = None
        for name, anchor in self._anchors.items():
            self._gradients[name].add_(self._masters[name] - anchor, alpha=self._anchor_weight)
        if not torch.nn.utils.clip_grad_norm_(self._trained, _CLIP_AT, foreach=True).isfinite():
            raise DivergedError("the gradients are no numbers any more: go on from the last checkpoint at a lower rate")
        for group in self._optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        self._optimiser.step()

    def tensors(self) -> dict[str, Tensor]:
        """The masters and norms, by their Hugging Face names."""
        return joined(self._masters | self._norms, self._architecture)

    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, without copies."""
        state = {f"{_MASTER}{name}": part for name, part in (self._masters | self._norms).items()}
        for number, moments in self._optimiser.state_dict()["state"].items():
            state |= {f"{_OPTIMISER}{number}.{name}": part for name, part in moments.items()}
        return state

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go back to what `state` gave."""
        for name, part in (self._masters | self._norms).items():
            part.copy_(state[f"{_MASTER}{name}"])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, part in state.items():
            if name.startswith(_OPTIMISER):
                number, kind = name.removeprefix(_OPTIMISER).split(".")
                moments.setdefault(int(number), {})[kind] = part
        groups = self._optimiser.state_dict()["param_groups"]
        self._optimiser.load_state_dict({"state": moments, "param_groups": groups})

    def _make_optimiser(self, options: TrainingOptions) -> torch.optim.Optimizer:
        old = self._architecture.vocabulary - options.new_rows
        trained = [
            self._trainable(name, slice(None, old) if name == EMBEDDING else slice(None)) for name in self._masters
        ]
        groups = [{"params": trained, "lr": 0.0, "peak": options.learning_rate}]
        if options.new_rows:
            new = self._trainable(EMBEDDING, slice(old, None))
            groups.append({"params": [new], "lr": 0.0, "peak": options.new_row_learning_rate})
            trained = [*trained, new]
        self._trained = trained
        return torch.optim.AdamW(groups, betas=_BETAS, weight_decay=0.0, fused=True)

    def _trainable(self, name: str, rows: slice) -> Tensor:
        """Rows of a master, in its own memory, with their gradient in its gradient's."""
        part = self._masters[name][rows].detach().requires_grad_()
        part.grad = self._gradients[name][rows]
        return part


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
