"""The folder of a run: its checkpoint, the tokenizer, and the catalog entry of the model it started from.

It turns a finished or unfinished run back into weights. It does not train.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kunnafoni_models.catalog.entry_reader import read_entry
from kunnafoni_models.catalog.entry_writer import write_entry
from kunnafoni_models.gemma.architecture import Architecture
from kunnafoni_models.training import checkpoint
from kunnafoni_models.training.errors import CheckpointError
from kunnafoni_models.training.parameters import joined, masters_of
from kunnafoni_models.training.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Generator

_TOKENIZER, _PARENT = "tokenizer.json", "parent.toml"


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Have `folder`, which need not be there yet, for oneself: until the process ends at the latest.

    Raises:
        CheckpointError: Somebody else has it, or no file can be written beside it.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = Path(f"{folder}.lock").open("a", encoding="ascii")  # noqa: SIM115 - locked as long as it is open
    except OSError as error:
        raise CheckpointError(f"{folder}: the folder of the run cannot be made: {error}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CheckpointError(f"{folder}: a training is at work there: wait for its end") from error
        except OSError as error:
            raise CheckpointError(f"{folder}: it cannot be locked: {error}") from error
        try:
            yield
        finally:
            Path(lock.name).unlink(missing_ok=True)


def prepare(run: Path, weights: Weights, *, resume: bool) -> None:
    """Make the folder `run` for a run that starts from `weights`, or find it as it was left.

    Raises:
        CheckpointError: There is a run already and `resume` is off, or the folder cannot be made.
    """
    if checkpoint.exists(run):
        if not resume:
            raise CheckpointError(f"{run} holds a run already: go on with --resume, or take another folder")
        return
    try:
        run.mkdir(parents=True, exist_ok=True)
        (run / _TOKENIZER).write_bytes(weights.tokenizer_json)
        write_entry(run / _PARENT, weights.prompts)
    except OSError as error:
        raise CheckpointError(f"{run}: the folder of the run cannot be made: {error}") from error


def read_run(run: Path) -> Weights:
    """The weights of the run's last checkpoint, with its tokenizer and its parent's prompts.

    Raises:
        CheckpointError: There is no run in the folder, or it is damaged.
    """
    state = checkpoint.load_state(run)
    architecture = Architecture.from_json(state["architecture"])
    tensors = joined(masters_of(checkpoint.load_tensors(run)), architecture)
    try:
        return Weights(architecture, tensors, (run / _TOKENIZER).read_bytes(), read_entry(run / _PARENT))
    except OSError as error:
        raise CheckpointError(f"{run}: a file of the run is missing: {error}") from error
