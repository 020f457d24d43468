"""How to train: the one value that every part of the trainer reads. It knows no model, no rows and no machine."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args, get_type_hints

from kunnafoni_models.training.errors import OptionsError

ScheduleKind = Literal["cosine", "constant", "decay"]
PrecisionWish = Literal["auto", "bfloat16", "float32"]
DeviceWish = Literal["auto", "cpu", "cuda"]
_ABOVE_ZERO = {"minutes", "steps", "epochs", "learning_rate", "new_row_learning_rate", "batch_tokens", "max_tokens"}
_SHARES = {"floor", "int8_share", "dropout", "label_smoothing", "kept"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How to train.

    The rates are those that the embedded model was made with: a body at 3e-4 forgets what it knew, at 3e-5 to 5e-5 and
    4,096 tokens a batch it does not.

    Attributes:
        minutes: Time to train, saves and evaluations included, summed over resumed runs; None for no limit of time. To
            choose the share of a change of low rank takes eight evaluations more.
        steps: Steps to train, summed over resumed runs; None for no limit. Of several limits the nearest counts.
        epochs: Times through the rows, each as often as its weight says; None for no limit.
        learning_rate: Peak rate of all matrices.
        low_rank: Rank of the change to each matrix, the embedding left as it is (LoRA, see `updates`), which takes ten
            to thirty times the rate; at the end the share of it is kept with which most tokens of the dev rows are
            predicted right. 0 trains every weight.
        new_row_learning_rate: Peak rate of the `new_rows` last rows of the vocabulary.
        new_rows: How many of the last vocabulary rows are new to the model; 0 trains all rows at `learning_rate`.
        batch_tokens: Most tokens of one step, padding included.
        max_tokens: Longest row, prompt and answer together; longer rows are left out.
        warmup_steps: Steps over which the rate rises from nothing at the start; 0 starts at the peak.
        schedule: `cosine` and `decay` (a straight line) fall to `floor` at the end; `constant` stays at the peak, for a
            run of unknown length. A run resumed under another schedule starts its clock anew.
        floor: Lowest rate as a share of the peak.
        int8_share: Last share of the run with weights rounded to CTranslate2's int8 grid, gradients straight through
            (Bengio et al. 2013), so that the export loses nothing; 0 never. A `constant` run has no last share.
        dropout: Share of what each layer adds that is dropped at random in a step (Srivastava et al. 2014), against
            learning by heart where rows are seen many times.
        label_smoothing: Share of the targets' probability that is spread over all tokens (Szegedy et al. 2016), for
            the same end.
        kept: Share of the change that is kept at the end of a run that trains every weight: a mean of start and end
            forgets less than the end (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"). It is not on the
            int8 grid any more.
        save_every_s: Seconds between checkpoints, the most that a killed run loses; 0 saves after every step.
        evaluate_every_s: Seconds between evaluations on the dev rows; 0 evaluates at start and end only.
        seed: Of the order of rows, and of what a change of low rank starts from. The same seed, rows, options and
            machine give the same weights.
        precision: Of matrix products; masters and optimiser are always float32. `auto` tests the machine.
        device: `auto` takes a GPU where there is one.
        threads: Processor threads; 0 takes every core that this process may use.
        anchor_weight: Weight of the penalty `anchor_weight / 2 * |w - w_start|^2` (L2-SP, Li et al. 2018, "Explicit
            inductive bias for transfer learning with convolutional networks"); 0 is off.
        compile: Compile the layers with torch.compile; None does on a processor where there is a C++ compiler. For an
            H100 it had not compiled the embedded model's after a minute, and a step took a seventh of a second without.
    """

    minutes: float | None = None
    steps: int | None = None
    epochs: float | None = None
    learning_rate: float = 5e-5
    low_rank: int = 0
    new_row_learning_rate: float = 1e-3
    new_rows: int = 0
    batch_tokens: int = 4096
    max_tokens: int = 512
    warmup_steps: int = 40
    schedule: ScheduleKind = "cosine"
    floor: float = 0.05
    int8_share: float = 0.35
    dropout: float = 0.0
    label_smoothing: float = 0.0
    kept: float = 1.0
    save_every_s: float = 600.0
    evaluate_every_s: float = 600.0
    seed: int = 0
    precision: PrecisionWish = "auto"
    device: DeviceWish = "auto"
    threads: int = 0
    anchor_weight: float = 0.0
    compile: bool | None = None

    def __post_init__(self) -> None:
        """Check what can be known without model and machine.

        Raises:
            OptionsError: A value is out of range, or two contradict each other.
        """
        for field in fields(self):
            _check_number(field.name, getattr(self, field.name))
        hints = get_type_hints(type(self))
        for name in ("schedule", "precision", "device"):
            if getattr(self, name) not in get_args(hints[name]):
                raise OptionsError(f"{name} is {getattr(self, name)!r} and must be one of {get_args(hints[name])}")
        if self.dropout == 1:
            raise OptionsError("dropout is 1 and would drop everything")
        if self.max_tokens > self.batch_tokens:
            raise OptionsError(
                f"max_tokens {self.max_tokens} is more than batch_tokens {self.batch_tokens}: "
                "the longest row must fit into a batch"
            )
        if self.low_rank and (self.new_rows or self.anchor_weight or self.kept < 1):
            raise OptionsError(
                "low_rank goes neither with new_rows nor with anchor_weight, nor with kept, which it finds"
            )
        if self.schedule != "constant" and self.minutes is None and self.steps is None and self.epochs is None:
            raise OptionsError(f"the schedule {self.schedule} needs an end: give minutes, steps or epochs")


def _check_number(name: str, value: object) -> None:
    """Check the range of one option; what is no number passes."""
    if not isinstance(value, int | float):
        return
    if name in _ABOVE_ZERO and not value > 0:
        raise OptionsError(f"{name} is {value} and must be greater than 0")
    if not 0 <= value < float("inf"):
        raise OptionsError(f"{name} is {value} and must be a number from 0 up")
    if name in _SHARES and value > 1:
        raise OptionsError(f"{name} is {value} and must be between 0 and 1")
