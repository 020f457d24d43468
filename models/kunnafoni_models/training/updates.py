"""What a step changes: every weight, or a change of low rank to each matrix. Gradients in, changed masters out.

`Parameters` owns the masters and decides what is computed with; here are the optimisers over them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from kunnafoni_models.training.errors import DivergedError
from kunnafoni_models.training.int8_grid import dithered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from kunnafoni_models.training.options import TrainingOptions

EMBEDDING = "embedding"
# Second moments over 50 steps: batches are small and of rows of one length, and the usual 1000 come too late.
_BETAS = (0.9, 0.98)
_CLIP_AT = 1.0
_OPTIMISER, _FACTOR = "optimiser.", "factor."
# The change is this times the product of the factors; 2 is what Hu et al. 2022 and those after them use.
_FACTOR_SCALE = 2.0


class Update(Protocol):
    """Takes the gradients of a step, one trained part after the other, and changes the masters by them.

    Attributes:
        embedding_gradient: [vocabulary, hidden] in float32, for the caller to fill before `step`; None if the embedding
            stays as it is.
    """

    embedding_gradient: Tensor | None

    def take(self, name: str, gradient: Tensor) -> None:
        """Note the gradient of `name`, a master or a factor of its change."""
        ...

    def step(self, *, rate: float) -> None:
        """Change the masters, at `rate` times the peak rates.

        Raises:
            DivergedError: A gradient is no number; the masters are as they were.
        """
        ...

    def keep(self, share: float) -> None:
        """Forget the rest of the change since the start."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What a resumed run needs beside the masters, without copies."""
        ...

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go back to what `state` gave."""
        ...


class FullUpdate:
    """Every weight; the last `new_rows` of the embedding at a rate of their own."""

    def __init__(self, masters: Mapping[str, Tensor], options: TrainingOptions) -> None:
        self._masters = masters
        self._gradients = {name: torch.zeros_like(part) for name, part in masters.items()}
        self.embedding_gradient: Tensor | None = self._gradients[EMBEDDING]
        self._anchor_weight = options.anchor_weight
        needs_starts = bool(options.anchor_weight) or options.kept < 1
        self._starts = {name: part.clone() for name, part in masters.items() if needs_starts}
        old = len(masters[EMBEDDING]) - options.new_rows
        trained = [self._trainable(name, slice(None, old) if name == EMBEDDING else slice(None)) for name in masters]
        groups = [(trained, options.learning_rate)]
        if options.new_rows:
            groups.append(([self._trainable(EMBEDDING, slice(old, None))], options.new_row_learning_rate))
        self._optimiser = _Optimiser(groups)

    def take(self, name: str, gradient: Tensor) -> None:
        """See `Update`."""
        self._gradients[name].copy_(gradient)

    @torch.no_grad()
    def step(self, *, rate: float) -> None:
        """See `Update`."""
        if self._anchor_weight:
            for name, start in self._starts.items():
                self._gradients[name].add_(self._masters[name] - start, alpha=self._anchor_weight)
        self._optimiser.step(rate)

    @torch.no_grad()
    def keep(self, share: float) -> None:
        """See `Update`."""
        for name, start in self._starts.items():
            self._masters[name].copy_(torch.lerp(start, self._masters[name], share))

    def state(self) -> dict[str, Tensor]:
        """See `Update`."""
        return self._optimiser.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        """See `Update`."""
        self._optimiser.load(state)

    def _trainable(self, name: str, rows: slice) -> Tensor:
        """Rows of a master, in its own memory, with their gradient in its gradient's."""
        part = self._masters[name][rows].detach().requires_grad_()
        part.grad = self._gradients[name][rows]
        return part


class LowRankUpdate:
    """A change of low rank to each matrix but the embedding (LoRA, Hu et al. 2022).

    It learns what recurs and has less room for the sentences by heart, so that it forgets less than training every
    weight (Biderman et al. 2024, "LoRA Learns Less and Forgets Less"); a share of the change may do better in the end
    than all of it (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"), see `show` and `keep`.

    If all of the run is on the int8 grid, the matrices start between its points, each where it rounds to what it was:
    from the points themselves a small change would round away.
    """

    def __init__(self, masters: Mapping[str, Tensor], options: TrainingOptions) -> None:
        self.embedding_gradient: Tensor | None = None
        draw = torch.Generator().manual_seed(options.seed)
        self._masters = {name: part for name, part in masters.items() if name != EMBEDDING}
        all_on_grid = options.int8_share == 1 and options.schedule != "constant"
        self._starts = {
            name: dithered(part.cpu(), draw).to(part.device) if all_on_grid else part.clone()
            for name, part in self._masters.items()
        }
        self.factors: dict[str, Tensor] = {}
        for name, part in self._masters.items():
            part.copy_(self._starts[name])
            height, width = part.shape
            right = torch.randn(options.low_rank, width, generator=draw) / width**0.5
            left_name, right_name = self.names(name)
            self.factors[left_name] = torch.zeros(height, options.low_rank, device=part.device, requires_grad=True)
            self.factors[right_name] = right.to(part.device).requires_grad_()
        self._optimiser = _Optimiser([(list(self.factors.values()), options.learning_rate)])

    @staticmethod
    def names(matrix: str) -> tuple[str, str]:
        """What the two factors of a matrix's change are called: [height, rank] and [rank, width]."""
        return f"left.{matrix}", f"right.{matrix}"

    @torch.no_grad()
    def take(self, name: str, gradient: Tensor) -> None:
        """See `Update`."""
        self.factors[name].grad = _FACTOR_SCALE * gradient.float()

    @torch.no_grad()
    def step(self, *, rate: float) -> None:
        """See `Update`."""
        self._optimiser.step(rate)
        self.show(1.0)

    @torch.no_grad()
    def show(self, share: float) -> None:
        """Set the masters to the start and a share of the change, to see what that would be like."""
        for name, master in self._masters.items():
            scale = share * _FACTOR_SCALE
            left, right = (self.factors[factor] for factor in self.names(name))
            torch.addmm(self._starts[name], left, right, alpha=scale, out=master)

    @torch.no_grad()
    def keep(self, share: float) -> None:
        """See `Update`."""
        for name in self._masters:
            self.factors[self.names(name)[0]].mul_(share)
        self.show(1.0)

    def state(self) -> dict[str, Tensor]:
        """See `Update`."""
        return self._optimiser.state() | {f"{_FACTOR}{name}": part.detach() for name, part in self.factors.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        """See `Update`."""
        for name, part in self.factors.items():
            part.copy_(state[f"{_FACTOR}{name}"])
        self._optimiser.load(state)


class _Optimiser:
    """AdamW without decay over groups of tensors, each with its peak rate; gradients are clipped by their norm."""

    def __init__(self, groups: Sequence[tuple[list[Tensor], float]]) -> None:
        self._trained = [part for parts, _ in groups for part in parts]
        described = [{"params": parts, "lr": 0.0, "peak": peak} for parts, peak in groups]
        self._adam: torch.optim.Optimizer = torch.optim.AdamW(described, betas=_BETAS, weight_decay=0.0, fused=True)

    def step(self, rate: float) -> None:
        if not torch.nn.utils.clip_grad_norm_(self._trained, _CLIP_AT, foreach=True).isfinite():
            raise DivergedError("the gradients are no numbers any more: go on from the last checkpoint at a lower rate")
        for group in self._adam.param_groups:
            group["lr"] = group["peak"] * rate
        self._adam.step()

    def state(self) -> dict[str, Tensor]:
        moments = self._adam.state_dict()["state"]
        return {f"{_OPTIMISER}{n}.{kind}": part for n, each in moments.items() for kind, part in each.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        moments: dict[int, dict[str, Tensor]] = {}
        for name, part in state.items():
            if name.startswith(_OPTIMISER):
                number, kind = name.removeprefix(_OPTIMISER).split(".")
                moments.setdefault(int(number), {})[kind] = part
        groups = self._adam.state_dict()["param_groups"]
        self._adam.load_state_dict({"state": moments, "param_groups": groups})
