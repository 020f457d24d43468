"""Short runs on a tiny checkpoint, for the tests of the trainer and the export."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kunnafoni_models.training.corpus import Row
from kunnafoni_models.training.options import TrainingOptions
from kunnafoni_models.training.run_folder import read_run
from kunnafoni_models.training.trainer import train
from tests.models.training.texts import pairs

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.progress import Outcome
    from kunnafoni_models.training.weights import Weights

QUICK = TrainingOptions(
    steps=20,
    learning_rate=1e-2,
    batch_tokens=512,
    max_tokens=256,
    warmup_steps=3,
    save_every_s=0,
    evaluate_every_s=0,
    precision="float32",
    device="cpu",
    threads=1,
    compile=False,
)
_MADE = [
    Row(task, weight, *texts)
    for english, french in pairs(150)
    for task, weight, texts in (("en>fr", 1.0, (english, french)), ("fr>en", 0.5, (french, english)))
]
ROWS, DEV = _MADE[:-40], {"en>fr": _MADE[-40::2], "fr>en": _MADE[-39::2]}


def run(start: CatalogEntry | Path | Weights, out: Path, *, resume: bool = False, **changes: Any) -> Outcome:
    """Train on `ROWS` from `start`; `changes` are of the options `QUICK`, or arguments of `train`."""
    arguments = {name: changes.pop(name) for name in ("on_progress", "should_stop", "rows") if name in changes}
    rows = arguments.pop("rows", ROWS)
    return train(
        rows, start=start, out=out, options=replace(QUICK, **changes), dev_rows=DEV, resume=resume, **arguments
    )


def tensors(out: Path) -> dict[str, Tensor]:
    """The weights of the run in `out`, by their Hugging Face names."""
    return read_run(out).tensors
