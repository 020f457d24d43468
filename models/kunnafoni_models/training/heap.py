"""Keeping the memory of a long run on a processor bounded.

Every step has tensors of other sizes. glibc's allocator as it comes either gives large blocks back at once, and page
faults then take 20 to 35 % of the time, or keeps them and fragments: 24 GB after ten minutes with the embedded model.
What works is one arena without memory maps, kept on huge pages, and giving back what is free every few steps
(8 to 12 GB, about 5 % of the time). The arena's settings are read when a process starts.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

TRIM_EVERY_STEPS = 20
_SETTINGS = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def settle(program: str) -> None:
    """Start this process anew with the allocator's settings, unless it has them.

    Does nothing if the process is not the command `program`, if the user has set one of the variables to something
    else, or without glibc. Call it first thing: what the process did until then is done again.
    """
    started = Path(sys.argv[0])
    is_program = program in {started.name, started.parent.name}
    if not is_program or platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in _SETTINGS):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **_SETTINGS})  # noqa: S606 - itself, once more
