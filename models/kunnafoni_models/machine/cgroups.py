"""The control groups of this process (version 2): where the limits of a container or of a systemd service are."""

from __future__ import annotations

from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def own_cgroups(groups: Path = _GROUPS, own_cgroup: Path = _OWN_GROUP) -> list[Path]:
    """The folder of this process's group and of each above it; none where the system does not tell.

    Args:
        groups: Where control groups are mounted.
        own_cgroup: Tells the group of this process.
    """
    try:
        inside = own_cgroup.read_text("utf-8").rpartition("::")[2].strip().lstrip("/")
    except OSError:
        return []
    group = groups / inside
    return [each for each in (group, *group.parents) if each.is_relative_to(groups)]
