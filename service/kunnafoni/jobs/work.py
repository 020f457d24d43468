"""The interface between the runner, which hands out items, and what is done to them. Values alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni.jobs.values import ItemResult, JobItem, JobSpec

SUSPECT_AFTER_CRASHES = 2
GIVE_UP_AFTER_CRASHES = 5


@dataclass(frozen=True, slots=True)
class ClaimedItem:
    """An item to be worked on: where it belongs, and its job's spec and its own content as bytes.

    `crash_count` is how many runners crashed while they had its chunk. From SUSPECT_AFTER_CRASHES on the item is alone
    in its chunk and is worked on with no other beside it, so that the next crash is its own; at GIVE_UP_AFTER_CRASHES
    it is not tried again.
    """

    job: int
    chunk: int
    position: int
    code_points: int
    spec: bytes = field(repr=False)
    body: bytes = field(repr=False)
    crash_count: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an item: a result, or an error if `failed`, as bytes; `fingerprint` is what it depends on."""

    item: ClaimedItem
    body: bytes = field(repr=False)
    segments: int = 0
    fingerprint: bytes | None = None
    failed: bool = False
    reused: bool = False


class Work(Protocol):
    """What is done to a claimed item."""

    def give_up(self, item: ClaimedItem) -> Outcome:
        """The error of an item that crashes servers."""
        ...

    def fingerprints(self, items: Sequence[ClaimedItem]) -> list[bytes]:
        """What the result of each item depends on: content, options, revisions of the models. Blocking, but quick."""
        ...

    async def run(self, item: ClaimedItem) -> Outcome:
        """Do the work; an error that is the item's own is an outcome too.

        Raises:
            OverloadedError, UnavailableError: it can be done later.
        """
        ...


class Processor(Protocol):
    """What is done to an item, as values: how it is stored is somebody else's business."""

    async def process(self, spec: JobSpec, item: JobItem, *, job: int, position: int) -> ItemResult:
        """Do what `spec` asks for to `item`, which is at `position` of `job`; an error of its own is a result too.

        Raises:
            OverloadedError, UnavailableError: it can be done later.
        """
        ...
