"""How many processor cores this process may use, and how batches share them."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from kunnafoni_models.machine.cgroups import own_cgroups

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Small products gain nothing from a second thread, and two batches at once almost twice the speed: 16 rows in one batch
# of two threads take 7.4 ms a token, in two of one thread 3.7, and a row alone 25 ms either way (the embedded model, 2
# cores, 2026-11-25). Each batch at once takes up to 200 MB.
_MOST_PARALLEL_BATCHES = 4


def usable_cores(groups: Sequence[Path] | None = None) -> int:
    """Cores of the process's affinity, or fewer where a container has a quota (`docker run --cpus 2`).

    More threads than that would stop each other: a group that has used up its time waits for the next period.

    Args:
        groups: Folders of the control groups whose quotas count; None for those of this process.
    """
    quotas = map(_quota, own_cgroups() if groups is None else groups)
    return max(1, math.floor(min(len(os.sched_getaffinity(0)), *quotas, math.inf)))


def parallel_batches(threads: int, *, wanted: int = 0) -> int:
    """Among how many batches at once to divide threads: as many as are wanted and there are threads for.

    0 leaves it to this function: two at least, at most four, and of these the number that leaves the fewest idle.
    """
    if wanted:
        return min(wanted, threads)
    numbers = range(min(threads, 2), min(threads, _MOST_PARALLEL_BATCHES) + 1)
    return max(numbers, key=lambda number: (threads // number * number, number))


def _quota(group: Path) -> float:
    """The quota of a group, in cores; infinity if there is none."""
    try:
        quota, _, period = (group / "cpu.max").read_text("utf-8").partition(" ")
        return int(quota) / int(period)
    except (OSError, ValueError):  # no limit is written as "max", or not at all
        return math.inf
