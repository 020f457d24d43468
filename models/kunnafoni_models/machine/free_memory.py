"""Free memory: whether a model's files fit into it at all, asked before they are read; and giving back what is unused.

Linux promises more memory than there is and kills who takes it: a load that does not fit would end the whole server,
with no error to report. It knows files' sizes only; what a runtime needs besides is not counted.
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
    """Check that `needed_bytes` more fit into memory; passes where the system does not tell.

    Args:
        name: The model or the folder of the checkpoint, for the message.
        needed_bytes: The weights as they will lie in memory, at least.

    Raises:
        ModelLoadError: They do not.
    """
    told = (_of_machine(), _of_process(), *map(of_group, own_cgroups()))
    free = min((each for each in told if each is not None), default=None)
    if free is not None and needed_bytes > free:
        raise ModelLoadError(
            f"{name}: too little memory: its weights take {needed_bytes // _MIB:,} MiB and {max(0, free) // _MIB:,} "
            "MiB are free: free some, or take a smaller model or, at the import, a smaller --quantization"
        )


def release_freed_memory() -> None:
    """Give memory that this process has freed back to the system, where that can be asked for; takes up to 0.1 s.

    glibc keeps what lies between blocks in use: 1.4 GB after two batches of 48 long rows on the embedded model.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _of_machine() -> int | None:
    found = dict(re.findall(r"^(MemAvailable|SwapFree):\s+(\d+) kB", _text("/proc/meminfo"), re.MULTILINE))
    return (int(found["MemAvailable"]) + int(found.get("SwapFree", 0))) * 1024 if "MemAvailable" in found else None


def of_group(group: Path) -> int | None:
    """Of a container or service with a limit, by the folder of its control group; what files take can be had back."""
    limit, used = _text(group / "memory.max"), _text(group / "memory.current")
    if not (limit.strip().isdigit() and used.strip().isdigit()):
        return None
    cached = re.findall(r"^(?:in)?active_file (\d+)", _text(group / "memory.stat"), re.MULTILINE)
    return int(limit) - int(used) + sum(map(int, cached))


def _of_process() -> int | None:
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
