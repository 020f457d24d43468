"""What happened in a run, one JSON object a line, so that a report can be made of it later and a resumed run goes on.

Each line has `event` and `time` (seconds since 1970) beside its own fields. It knows no display.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kunnafoni_models.training.progress import Progress

# A point of a curve every few seconds is plenty; a run has a hundred thousand steps.
_SECONDS_A_LINE = 2.0


class Log:
    """Appends to the file at `path`; each line is there when `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, event: str, **fields: Any) -> None:
        """Add a line.

        Raises:
            OSError: The disk is full.
        """
        line = json.dumps({"event": event, "time": round(time.time(), 3), **fields}, ensure_ascii=False)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    def events(self, name: str) -> list[dict[str, Any]]:
        """All lines of one event so far; a line that a kill cut short is left out."""
        if not self.path.exists():
            return []
        found: list[dict[str, Any]] = []
        for line in self.path.read_text("utf-8").splitlines():
            try:
                value = cast("dict[str, Any]", json.loads(line))
            except ValueError:
                continue
            if value["event"] == name:
                found.append(value)
        return found


def telling(log: Log, on_progress: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """`on_progress`, and a line `progress` in the log now and then; every evaluation gets one."""
    last = 0.0

    def both(progress: Progress) -> None:
        nonlocal last
        if progress.dev is not None or time.monotonic() - last >= _SECONDS_A_LINE:
            last = time.monotonic()
            log.write("progress", **asdict(progress))
        on_progress(progress)

    return both
