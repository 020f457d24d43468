"""Checks that a model fits into free memory before it is loaded, and releases memory that this process has freed.

Linux promises more memory than there is and kills the process that uses it: a model that does not fit would end the
whole server without an error. Only the sizes of files are known; what a runtime needs besides is not counted.
"""

from __future__ import annotations

import ctypes
import re
import resource
from contextlib import suppress
from pathlib import Path

from kunnafoni_models.backend import ModelLoadError
from kunnafoni_models.machine.cgroups import own_cgroups

_MIB = 1 << 20


def check_free_memory(name: str, needed_bytes: int) -> None:
    """Check that `needed_bytes` more fit into memory; passes if the system does not say how much is free.

    Args:
        name: The model or the folder of the checkpoint, for the message.
        needed_bytes: Size of the weights in memory, at least.

    Raises:
        ModelLoadError: They do not fit.
    """
    limits = (_free_in_machine(), _free_in_process(), *map(free_in_cgroup, own_cgroups()))
    free_bytes = min((limit for limit in limits if limit is not None), default=None)
    if free_bytes is not None and needed_bytes > free_bytes:
        free_mib = max(0, free_bytes) // _MIB
        raise ModelLoadError(
            f"{name}: too little memory: its weights take {needed_bytes // _MIB:,} MiB and {free_mib:,} "
            "MiB are free: free some, or take a smaller model or, at the import, a smaller --quantization"
        )


def release_freed_memory() -> None:
    """Return memory that this process has freed to the system, if the C library can do so; takes up to 0.1 s.

    glibc keeps free memory between blocks in use: 1.4 GB after two batches of 48 long sequences on the embedded model.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _free_in_machine() -> int | None:
    found = dict(re.findall(r"^(MemAvailable|SwapFree):\s+(\d+) kB", _text("/proc/meminfo"), re.MULTILINE))
    return (int(found["MemAvailable"]) + int(found.get("SwapFree", 0))) * 1024 if "MemAvailable" in found else None


def free_in_cgroup(group: Path) -> int | None:
    """Free bytes of a container or service with a limit, by the folder of its control group; None without a limit.

    Cached files count as free, because the system can drop them.
    """
    limit, used = _text(group / "memory.max"), _text(group / "memory.current")
    if not (limit.strip().isdigit() and used.strip().isdigit()):
        return None
    cached = re.findall(r"^(?:in)?active_file (\d+)", _text(group / "memory.stat"), re.MULTILINE)
    return int(limit) - int(used) + sum(map(int, cached))


def _free_in_process() -> int | None:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = _text("/proc/self/statm").split()
    if limit == resource.RLIM_INFINITY or not pages:
        return None
    return limit - int(pages[0]) * resource.getpagesize()


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
