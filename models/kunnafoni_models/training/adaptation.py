"""What an adaptation is told and what it tells. Values only; `adapt` does the work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kunnafoni_models.training.options import TrainingOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.corpus import Row
    from kunnafoni_models.training.memory import Memory
    from kunnafoni_models.training.progress import Outcome, Progress
    from kunnafoni_models.training.verdict import Comparison


def adapting_options() -> TrainingOptions:
    """Training options that suit a memory of some thousand pairs; tests/bench/house_style.py measures them."""
    return TrainingOptions(
        minutes=30.0,
        epochs=2.0,
        learning_rate=5e-4,
        low_rank=16,
        batch_tokens=1024,
        warmup_steps=20,
        int8_share=1.0,
        label_smoothing=0.1,
        save_every_s=300.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """What to adapt to what.

    Attributes:
        memories: Files, see `corpus_files`; all of one pair of languages.
        parent: The model to start from, in the embedded form.
        models_dir: The user's catalog; made if there is none.
        model_id: Name of the new model.
        pair: Languages of the memory; None where the files tell.
        one_way: Teach the pair in its own direction only, not the reverse too.
        general: Texts in some of the model's languages, to see what else changes; kept out of training. None for none.
        minutes: Most for replay and training together; measuring takes its own time. `options` may end it earlier.
        replay_rows: Most of the model's own answers to keep, for each direction that is not taught; 0 keeps none. Ten
            a minute are kept where that is less, and of some directions three times as many, see `replay`.
        force: Install the model even if it got worse.
        options: How to train; its `minutes` is not looked at.
    """

    memories: Sequence[Path]
    parent: CatalogEntry
    models_dir: Path
    model_id: str
    pair: tuple[str, str] | None = None
    one_way: bool = False
    general: Path | None = None
    minutes: float = 30.0
    replay_rows: int = 150
    force: bool = False
    options: TrainingOptions = field(default_factory=adapting_options)


@dataclass(frozen=True, slots=True)
class Watch:
    """Whom to tell, and whom to ask.

    Attributes:
        on_stage: Told in a few words what begins.
        on_rows: Told the rows of the memory as they were read, all of one task; may raise to refuse them.
        on_progress: Told after every training step.
        should_stop: Asked before every training step; True keeps what is done for another time.
    """

    on_stage: Callable[[str], None] = lambda _: None
    on_rows: Callable[[Sequence[Row]], None] = lambda _: None
    on_progress: Callable[[Progress], None] = lambda _: None
    should_stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came of it.

    Attributes:
        entry: The installed model; None if it was refused.
        objections: Why it is worse than the starting model, a line each.
        comparisons: The held-out tenth, then the general set if there is one.
        memory: What was learnt and what was left out.
        replayed: Rows that kept the other directions.
        outcome: Of the training.
        folder: Where `training.jsonl` is, and a report can be: the model's folder or, of a refused one, the run's.
    """

    entry: CatalogEntry | None
    objections: Sequence[str]
    comparisons: Sequence[Comparison]
    memory: Memory
    replayed: int
    outcome: Outcome
    folder: Path
