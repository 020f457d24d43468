"""Training on the terminal: what is being done, how fast, how well, and how long it still takes.

It draws what `kunnafoni_models.training` tells. On a terminal the lines stay where they are; elsewhere a line is
printed now and then. The first Ctrl-C while training saves and stops; a second one, or one at any other time, ends at
once.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from kunnafoni_models.training.progress import Progress
    from kunnafoni_models.training.verdict import Comparison

_PLAIN_LINE_EVERY_S = 20.0
_BAR_WIDTH = 40


@dataclass
class Display:
    """A context in which stages and steps are shown.

    Attributes:
        console: Where to.
        stop: Whether somebody asked for an end.
    """

    console: Console = field(default_factory=lambda: Console(highlight=False))
    stop: bool = False
    _live: Live | None = None
    _training: bool = False
    _printed: float = 0.0
    _dev: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    _before: Any = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *_: object) -> None:
        self._end_live()
        signal.signal(signal.SIGINT, self._before)

    def stage(self, words: str) -> None:
        """Say what begins."""
        self._end_live()
        self._training = words == "training"
        self.console.print(f"{words} ...")
        if self._training and self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=4)
            self._live.start()

    def progress(self, progress: Progress) -> None:
        """Show a step."""
        for name, value in (progress.dev or {}).items():
            self._dev.setdefault(name, []).append(value)
        if self._live:
            self._live.update(self._drawn(progress))
        elif progress.dev is not None or time.monotonic() - self._printed > _PLAIN_LINE_EVERY_S:
            self._printed = time.monotonic()
            self.console.print(_line(progress), soft_wrap=True)
            if progress.dev:
                figures = " ".join(f"{name} {value:.3f}" for name, value in progress.dev.items())
                self.console.print(f"  dev, nats a character: {figures}", soft_wrap=True)

    def _drawn(self, progress: Progress) -> Group:
        bar = ProgressBar(total=1.0, completed=progress.share, width=_BAR_WIDTH)
        parts: list[Any] = [Text(_line(progress)), bar]
        if self._dev:
            table = Table("dev, nats a character", "at the start", "now", box=None, pad_edge=False)
            for name, values in self._dev.items():
                table.add_row(name, f"{values[0]:.3f}", f"{values[-1]:.3f}")
            parts.append(table)
        return Group(*parts)

    def _end_live(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def _interrupted(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature is signal's
        if not self._training or self.stop:
            raise KeyboardInterrupt
        self.stop = True
        self.console.print("saving, then stopping; Ctrl-C again to stop without")


def _line(progress: Progress) -> str:
    loss = "" if progress.loss is None else f", loss {progress.loss:.3f}"
    left = progress.seconds_left
    remains = "" if left is None else f", {timedelta(seconds=round(left))} left"
    grid = ", on the int8 grid" if progress.on_int8_grid else ""
    speed = f"{progress.tokens_per_second:,.0f} tokens/s"
    return f"step {progress.step:,}, {progress.tokens:,} tokens, {speed}{loss}, rate {progress.rate:.2f}{remains}{grid}"


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """chrF++ before and after, a row a direction of each test set."""
    table = Table("test set", "direction", "before", "after", "difference", title="chrF++, int8", title_justify="left")
    for each in comparisons:
        for task, after in each.after.scores.items():
            before = each.before.scores[task] if each.before else None
            old, gain = ("–", "–") if before is None else (f"{before:.1f}", f"{after - before:+.1f}")
            table.add_row(each.test_set, task, old, f"{after:.1f}", gain)
    return table
