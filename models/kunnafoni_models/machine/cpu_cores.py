"""How many processor cores this process may use, and how many batches share them."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from kunnafoni_models.machine.cgroups import own_cgroups

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Small matrix products gain nothing from a second thread, while two batches at once are almost twice as fast: 16
# sequences take 7.4 ms per token in one batch with two threads, 3.7 ms in two batches with one thread each, and a
# single sequence 25 ms either way (the embedded model, 2 cores, 2026-11-25). Each concurrent batch takes up to 200 MB.
_MOST_PARALLEL_BATCHES = 4


def usable_cores(groups: Sequence[Path] | None = None) -> int:
    """Cores in the process's affinity mask, or fewer if its container has a quota (`docker run --cpus 2`).

    More threads would stop each other: a control group that has used up its time waits for the next period.

    Args:
        groups: Folders of the control groups whose quotas count; None for those of this process.
    """
    quotas = map(_quota, own_cgroups() if groups is None else groups)
    return max(1, math.floor(min(len(os.sched_getaffinity(0)), *quotas, math.inf)))


def parallel_batches(threads: int, *, wanted: int = 0) -> int:
    """How many batches should run at the same time, each with an equal share of `threads`.

    Args:
        threads: Of all batches together.
        wanted: Batches asked for; the result is at most `threads`. 0 leaves the choice to this function: two to four,
            whichever leaves the fewest threads idle.
    """
    if wanted:
        return min(wanted, threads)
    numbers = range(min(threads, 2), min(threads, _MOST_PARALLEL_BATCHES) + 1)
    return max(numbers, key=lambda number: (threads // number * number, number))


def _quota(group: Path) -> float:
    """The quota of a control group, in cores; infinity if it has none."""
    try:
        quota, _, period = (group / "cpu.max").read_text("utf-8").partition(" ")
        return int(quota) / int(period)
    except (OSError, ValueError):  # a group without a limit says "max", or has no such file
        return math.inf
