"""The folder of a run: its checkpoint, the tokenizer, and the catalog entry of the model it started from.

It turns a finished or unfinished run back into weights. It does not train.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kunnafoni_models.entry_file import read_entry
from kunnafoni_models.entry_writer import write_entry
from kunnafoni_models.training import checkpoint
from kunnafoni_models.training.architecture import Architecture
from kunnafoni_models.training.errors import CheckpointError
from kunnafoni_models.training.parameters import joined, masters_of
from kunnafoni_models.training.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_TOKENIZER, _PARENT = "tokenizer.json", "parent.toml"


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Have `folder` for oneself, until the process ends at the latest; it is made if there is none.

    Raises:
        CheckpointError: It is had already, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise CheckpointError(f"{folder}: the folder of the run cannot be made: {error}") from error
    try:
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CheckpointError(f"{folder}: a training is at work there: wait for its end") from error
        yield
    finally:
        os.close(place)


def prepare(run: Path, weights: Weights, *, resume: bool) -> None:
    """Fill the folder `run` for a run that starts from `weights`, or find it as it was left.

    Raises:
        CheckpointError: There is a run already and `resume` is off, or the folder cannot be written to.
    """
    if checkpoint.exists(run):
        if not resume:
            raise CheckpointError(f"{run} holds a run already: go on with --resume, or take another folder")
        return
    try:
        (run / _TOKENIZER).write_bytes(weights.tokenizer_json)
        write_entry(run / _PARENT, weights.prompts)
    except OSError as error:
        raise CheckpointError(f"{run}: the folder of the run cannot be written to: {error}") from error


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
