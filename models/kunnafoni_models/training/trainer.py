"""The training loop: from rows and starting weights to a run on disk.

It knows when to step, evaluate, save and stop. How a step is computed is `model`'s, what a run looks like on disk
`run_folder`'s and `checkpoint`'s.
"""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kunnafoni_models.machine.free_memory import release_freed_memory
from kunnafoni_models.training import checkpoint, heap, run_folder
from kunnafoni_models.training.batches import Place, batches, rectangle
from kunnafoni_models.training.encoding import RowEncoder
from kunnafoni_models.training.errors import CheckpointError, OptionsError
from kunnafoni_models.training.evaluation import Evaluation
from kunnafoni_models.training.model import TrainedModel
from kunnafoni_models.training.precision import choose_machine
from kunnafoni_models.training.progress import Outcome, Progress
from kunnafoni_models.training.schedule import in_steps, on_int8_grid, rate, share_done
from kunnafoni_models.training.weights import Weights, read_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.corpus import Row
    from kunnafoni_models.training.encoding import EncodedRows
    from kunnafoni_models.training.options import PrecisionWish, TrainingOptions
    from kunnafoni_models.training.precision import Machine
    from kunnafoni_models.training.updates import LowRankUpdate

# How much of a change of low rank may be kept in the end.
_SHARES_OF_CHANGE = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
# Losses and speed are told as means over the last steps.
_RECENT_STEPS = 20
# What a resumed run must have in common with the run that it goes on with.
_SAME_OPTIONS = ("seed", "batch_tokens", "max_tokens", "new_rows", "low_rank")
_IN_WORDS = {"architecture": "a model of another shape", "rows": "other rows", "start": "other weights"}


def train(
    rows: Sequence[Row],
    *,
    start: CatalogEntry | Path | Weights,
    out: Path,
    options: TrainingOptions,
    dev_rows: Mapping[str, Sequence[Row]],
    resume: bool = False,
    prompts: CatalogEntry | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train and leave the run in the folder `out`; `export` makes a model of it.

    Args:
        rows: What to train on; a row's weight is its chance to be taken in an epoch.
        start: Entry in the embedded form (CTranslate2 int8), folder of a Hugging Face checkpoint, or either as read.
        out: Folder of the run; made if there is none.
        options: How to train.
        dev_rows: Rows to evaluate on, by the name that the figure is to have, as `en>fr`.
        resume: Go on from the checkpoint in `out` if there is one; else `out` must hold none.
        prompts: Entry whose prompts, languages and licence the model gets; None for those of `start`, or of the
            embedded model if `start` is a checkpoint. `Weights` have their own.
        on_progress: Called after every step, and once before the first.
        should_stop: Asked before every step; True saves and ends the run early.

    Raises:
        TrainingError: See `errors`.
        ModelFileError: A file of `start` is missing or damaged.
    """
    weights = start if isinstance(start, Weights) else read_weights(start, prompts=prompts)
    if options.new_rows >= weights.architecture.vocabulary:
        raise OptionsError(f"new_rows is {options.new_rows}, but there are {weights.architecture.vocabulary} in all")
    encoder = RowEncoder(weights)
    encoded = encoder.encode(rows, max_tokens=options.max_tokens)
    options = in_steps(options, encoded)
    identity = _identity(weights, encoded, options)
    run_folder.prepare(out, weights, resume=resume)
    saved = _saved_state(out, identity, options) if checkpoint.exists(out) else None
    if saved and options.precision == "auto":
        options = replace(options, precision=saved.precision)
    machine = choose_machine(options)
    evaluation = Evaluation(dev_rows, encoder, options, machine.device)
    model = TrainedModel(weights, machine, options)
    del start, weights, encoder
    if saved:
        model.parameters.load(checkpoint.load_tensors(out))
    return _Run(
        model=model,
        rows=encoded,
        machine=machine,
        options=options,
        evaluation=evaluation,
        folder=out,
        identity=identity,
        state=saved or _State(machine.precision, options.schedule),
        on_progress=on_progress,
    ).to_the_end(should_stop)


@dataclass(slots=True)
class _State:
    """Where a run stands; with the tensors, all that a checkpoint holds.

    `phase_*` is where the present schedule began: a run that goes on under another one starts its clock anew.
    """

    precision: PrecisionWish
    schedule: str
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    phase_step: int = 0
    phase_seconds: float = 0.0
    epoch: int = 0
    batch: int = 0
    dev_before: dict[str, float] = field(default_factory=dict[str, float])
    kept: float = 1.0


def _identity(weights: Weights, rows: EncodedRows, options: TrainingOptions) -> dict[str, Any]:
    identity = {
        "architecture": weights.architecture.to_json(),
        "rows": rows.fingerprint(),
        # A change of low rank is one to these very weights.
        "start": options.low_rank and round(sum(each.double().abs().sum().item() for each in weights.tensors.values())),
        **{name: getattr(options, name) for name in _SAME_OPTIONS},
    }
    return json.loads(json.dumps(identity))  # as it comes back from a checkpoint


def _saved_state(run: Path, identity: Mapping[str, Any], options: TrainingOptions) -> _State:
    """The state in the run's checkpoint, if it fits.

    Raises:
        CheckpointError: The checkpoint is of another model, other rows or other options.
    """
    saved: dict[str, Any] = {"low_rank": 0, "start": 0} | checkpoint.load_state(run)  # older ones do not say
    for name, value in identity.items():
        if saved.get(name) != value:
            what = _IN_WORDS.get(name, f"{name} {saved.get(name)}")
            raise CheckpointError(
                f"{run}: the checkpoint was made with {what}: "
                "start in another folder, or go on with what it was made with"
            )
    state = _State(**saved["state"])
    if state.schedule != options.schedule:
        state = replace(state, schedule=options.schedule, phase_step=state.step, phase_seconds=state.seconds)
    return state


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run in this process; `recent` has seconds, tokens and loss of the last steps."""

    model: TrainedModel
    rows: EncodedRows
    machine: Machine
    options: TrainingOptions
    evaluation: Evaluation
    folder: Path
    identity: Mapping[str, Any]
    state: _State
    on_progress: Callable[[Progress], None]
    recent: deque[tuple[float, int, float]] = field(default_factory=lambda: deque(maxlen=_RECENT_STEPS))

    def to_the_end(self, should_stop: Callable[[], bool]) -> Outcome:
        """Train until the schedule ends or `should_stop` says so."""
        state, options = self.state, self.options
        began = time.monotonic() - state.seconds
        dev = self._evaluate()
        state.dev_before = state.dev_before or dev
        self._tell(rate_now=0.0, dev=dev)
        saved_at = evaluated_at = time.monotonic()
        evaluated_step = state.step
        order = batches(
            self.rows, batch_tokens=options.batch_tokens, seed=options.seed, place=Place(state.epoch, state.batch)
        )
        while self._share() < 1 and not should_stop():
            numbers, place = next(order)
            rate_now = self._step(numbers)
            state.epoch, state.batch = place.epoch, place.batch
            state.seconds = time.monotonic() - began
            due = options.evaluate_every_s and time.monotonic() - evaluated_at >= options.evaluate_every_s
            if due or self._share() >= 1:
                dev, evaluated_step, evaluated_at = self._evaluate(), state.step, time.monotonic()
            self._tell(rate_now=rate_now, dev=dev if evaluated_step == state.step else None)
            if time.monotonic() - saved_at >= options.save_every_s:
                self._save()
                saved_at = time.monotonic()
        if evaluated_step != state.step:
            dev = self._evaluate()
        self._save()
        if self._share() >= 1 and state.kept == 1:  # so too if the process was killed just here
            change = self.model.parameters.change
            kept = self._best_share(change) if change and dev else options.kept
            dev = self._keep(kept) if kept < 1 else dev
        return Outcome(
            run=self.folder,
            finished=self._share() >= 1,
            steps=state.step,
            tokens=state.tokens,
            seconds=state.seconds,
            rows=len(self.rows),
            rows_too_long=self.rows.too_long,
            precision=self.machine.precision,
            dev_before=state.dev_before,
            dev_after=dev,
            kept=state.kept,
        )

    def _step(self, numbers: NDArray[np.int64]) -> float:
        """Train on one batch and give the share of the peak rate that it was trained at."""
        state, share = self.state, self._share()
        rate_now = rate(self.options, steps=state.step, share=share)
        began = time.monotonic()
        self._refresh()
        batch = rectangle(self.rows, numbers, device=self.machine.device)
        loss = self.model.learn(batch, step=state.step, rate=rate_now)
        state.step += 1
        state.tokens += batch.row_tokens
        if state.step % heap.TRIM_EVERY_STEPS == 0:
            release_freed_memory()
        self.recent.append((time.monotonic() - began, batch.row_tokens, loss))
        return rate_now

    def _share(self) -> float:
        state = self.state
        return share_done(
            self.options, steps=state.step - state.phase_step, seconds=state.seconds - state.phase_seconds
        )

    def _best_share(self, change: LowRankUpdate) -> float:
        """How much of the change the dev rows ask for.

        Not the likelihood decides: a model that has become too sure of itself has a worse one than a model that has
        learnt less, and greedy decoding does not see it.
        """
        found: dict[float, int] = {}
        for share in _SHARES_OF_CHANGE:
            change.show(share)
            self._refresh()
            found[share] = self.evaluation.right(self.model)
        return max(found, key=found.__getitem__)  # the smallest of those that are equal

    def _keep(self, share: float) -> dict[str, float]:
        """Keep so much of the change, save it, and give the dev figures with it."""
        self.model.parameters.keep(share)
        self.state.kept *= share
        dev = self._evaluate()
        self._tell(rate_now=0.0, dev=dev)
        self._save()
        return dev

    def _evaluate(self) -> dict[str, float]:
        self._refresh()
        return self.evaluation.measure(self.model)

    def _refresh(self) -> None:
        self.model.parameters.refresh(int8_grid=on_int8_grid(self.options, self._share()))

    def _tell(self, *, rate_now: float, dev: Mapping[str, float] | None) -> None:
        state, recent = self.state, self.recent
        seconds = sum(step[0] for step in recent)
        self.on_progress(
            Progress(
                step=state.step,
                tokens=state.tokens,
                tokens_per_second=sum(step[1] for step in recent) / seconds if recent else 0.0,
                loss=sum(step[2] for step in recent) / len(recent) if recent else None,
                rate=rate_now,
                share=self._share(),
                seconds_left=self._seconds_left(seconds / len(recent)) if recent else None,
                on_int8_grid=on_int8_grid(self.options, self._share()),
                dev=dev,
            )
        )

    def _seconds_left(self, step_s: float) -> float | None:
        options, state = self.options, self.state
        left: list[float] = []
        if options.minutes is not None:
            left.append(60 * options.minutes - (state.seconds - state.phase_seconds))
        if options.steps is not None:
            left.append((options.steps - (state.step - state.phase_step)) * step_s)
        return max(0.0, min(left)) if left else None

    def _save(self) -> None:
        checkpoint.save(self.folder, self.model.parameters.state(), {**self.identity, "state": asdict(self.state)})
