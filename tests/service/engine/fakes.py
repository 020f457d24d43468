"""A loop whose time only passes when nothing else can happen, and a model that takes some of this time."""

from __future__ import annotations

import asyncio
import selectors
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from kunnafoni.engine.batch_runner import Completion

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

T = TypeVar("T")


class HangError(Exception):
    """Every task waits and no timer will ever wake one."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer instead of sleeping, so tests of time are exact and take none."""

    now_s = 0.0

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.now_s


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise HangError
        if not events and timeout:
            self._loop.now_s += timeout
        return events


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time; whatever a callback raises fails the test."""
    troubles: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: troubles.append(context))
        result = runner.run(main)
    assert not troubles, troubles
    return result


@dataclass(frozen=True, slots=True)
class FakeSequence:
    text: str
    prompt_tokens: int = 10
    token_cost: int = 20
    decoding: str = "greedy"
    slots: int = 1
    background: bool = False

    @property
    def batch_key(self) -> tuple[str, int]:
        return self.decoding, self.prompt_tokens // 16


@dataclass
class FakeModel:
    """Outputs `<text>` after `batch_s`; fails a batch with a text of `poison`, and loses the texts of `miscount`.

    It reports the outputs of `early_s` so many seconds after their batch started, even if the batch was cancelled.
    """

    batch_s: float = 1.0
    early_s: dict[str, float] = field(default_factory=dict[str, float])
    poison: set[str] = field(default_factory=set[str])
    miscount: set[str] = field(default_factory=set[str])
    batches: list[list[str]] = field(default_factory=list[list[str]])
    began_s: list[float] = field(default_factory=list[float])

    async def __call__(self, sequences: Sequence[FakeSequence], answer: Callable[[int, str], None]) -> list[str]:
        texts = [sequence.text for sequence in sequences]
        self.batches.append(texts)
        loop = asyncio.get_running_loop()
        self.began_s.append(loop.time())
        for number, text in enumerate(texts):
            if text in self.early_s:
                loop.call_later(self.early_s[text], answer, number, f"<{text}>")
        assert len({sequence.batch_key for sequence in sequences}) == 1
        await asyncio.sleep(self.batch_s)
        if self.poison & set(texts):
            raise PoisonError(*sorted(self.poison & set(texts)))
        return [f"<{text}>" for text in texts if text not in self.miscount]

    @property
    def seen(self) -> list[str]:
        return [text for batch in self.batches for text in batch]


def texts(results: Sequence[Completion[str] | BaseException]) -> list[str]:
    """The outcome of each sequence: its output, or the name of its error."""
    return [result.output if isinstance(result, Completion) else type(result).__name__ for result in results]


class PoisonError(Exception):
    """The error that the fake model raises."""
