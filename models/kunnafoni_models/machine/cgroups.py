"""The control groups (version 2) of this process, which hold the limits of a container or of a systemd service."""

from __future__ import annotations

from pathlib import Path

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def own_cgroups(groups: Path = _CGROUP_ROOT, own_cgroup: Path = _OWN_CGROUP) -> list[Path]:
    """The folders of this process's control group and of all groups above it; empty if the system has none.

    Args:
        groups: Where control groups are mounted.
        own_cgroup: The file that names the group of this process.
    """
    try:
        relative = own_cgroup.read_text("utf-8").rpartition("::")[2].strip().lstrip("/")
    except OSError:
        return []
    group = groups / relative
    return [folder for folder in (group, *group.parents) if folder.is_relative_to(groups)]
