"""A run on disk, so that a killed one goes on: one file, whole or not there at all.

It holds tensors and a small state in one safetensors file, which runs no code when it is read. It does not know what
they mean. No state of a random number generator is among them: nothing draws after the start but the order of the rows,
which follows from the seed and the place (`batches`).
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from kunnafoni_models.training.errors import CheckpointError
from kunnafoni_models.training.typed_torch import save_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

STATE_FILE = "state.safetensors"
_UNFINISHED = ".state.unfinished"
_STATE = "state"


def save(run: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write `tensors` and `state` to the folder `run`, in place of what was there.

    Whatever goes wrong and whenever the process is killed, the old checkpoint stays or the new one is whole.

    Raises:
        CheckpointError: The disk is full, or the file cannot be written.
    """
    unfinished = run / _UNFINISHED
    needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    try:
        unfinished.unlink(missing_ok=True)
        if (free := shutil.disk_usage(run).free) < needed:
            raise CheckpointError(_full(run, needed, free))
        save_tensors(unfinished, tensors, metadata={_STATE: json.dumps(state)})
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        unfinished.replace(run / STATE_FILE)
    except (OSError, SafetensorError) as error:
        unfinished.unlink(missing_ok=True)
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
            raise CheckpointError(_full(run, needed, 0)) from error
        raise CheckpointError(f"{run}: the checkpoint cannot be written: {error}") from error


def exists(run: Path) -> bool:
    """Whether there is a checkpoint in `run`."""
    return (run / STATE_FILE).is_file()


def load_state(run: Path) -> dict[str, Any]:
    """The state in the checkpoint of `run`, without its tensors.

    Raises:
        CheckpointError: There is no checkpoint, or it is damaged.
    """
    with _opened(run) as file:
        return json.loads(file.metadata()[_STATE])


def load_tensors(run: Path) -> dict[str, Tensor]:
    """The tensors in the checkpoint of `run`.

    Raises:
        CheckpointError: There is no checkpoint, or it is damaged.
    """
    with _opened(run) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping


def _opened(run: Path) -> Any:
    path = run / STATE_FILE
    try:
        return safe_open(path, framework="pt")
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing: there is no run in {run}") from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged ({error}): start the run anew in another folder") from error


def _full(run: Path, needed: int, free: int) -> str:
    return (
        f"{run}: the disk is full: a checkpoint takes {needed / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free; "
        "the checkpoint before it, if there was one, is untouched: make room and go on from there"
    )
