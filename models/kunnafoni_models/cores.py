"""How many processor cores this process may use, and how batches share them."""

from __future__ import annotations

import math
import os
from pathlib import Path

# Small products gain nothing from a second thread, and two batches at once almost twice the speed: 16 rows in one batch
# of two threads take 7.4 ms a token, in two of one thread 3.7, and a row alone 25 ms either way (the embedded model, 2
# cores, 2026-11-25). Each batch at once takes up to 200 MB.
_MOST_PARALLEL_BATCHES = 4
_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def usable_cores(groups: Path = _GROUPS, own_group: Path = _OWN_GROUP) -> int:
    """Cores of the process's affinity, or fewer where a container has a quota (`docker run --cpus 2`).

    More threads than that would stop each other: a group that has used up its time waits for the next period.

    Args:
        groups: Where control groups are mounted (version 2, as all current distributions have it).
        own_group: Tells the group of this process.
    """
    cores = len(os.sched_getaffinity(0))
    try:
        inside = own_group.read_text("utf-8").rpartition("::")[2].strip().lstrip("/")
    except OSError:
        return cores
    return max(1, math.floor(min(cores, _quota(groups, groups / inside))))


def parallel_batches(threads: int, *, wanted: int = 0) -> int:
    """Among how many batches at once to divide threads: as many as are wanted and there are threads for.

    0 leaves it to this function: two at least, at most four, and of these the number that leaves the fewest idle.
    """
    if wanted:
        return min(wanted, threads)
    numbers = range(min(threads, 2), min(threads, _MOST_PARALLEL_BATCHES) + 1)
    return max(numbers, key=lambda number: (threads // number * number, number))


def _quota(groups: Path, group: Path) -> float:
    """The smallest quota of a group and those above it, in cores; infinity if there is none."""
    smallest = math.inf
    for each in (group, *group.parents):
        if not each.is_relative_to(groups):
            break
        try:
            quota, _, period = (each / "cpu.max").read_text("utf-8").partition(" ")
            smallest = min(smallest, int(quota) / int(period))
        except (OSError, ValueError):  # no limit is written as "max", or not at all
            continue
    return smallest
