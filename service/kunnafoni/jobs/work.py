"""What passes between those who hand out work, those who do it and those who keep what came of it. Values alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class ClaimedItem:
    """An item to be worked on: where it belongs, and its job's spec and its own content as bytes."""

    job: int
    chunk: int
    position: int
    code_points: int
    spec: bytes = field(repr=False)
    body: bytes = field(repr=False)


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
    """What is done to an item."""

    def fingerprints(self, items: Sequence[ClaimedItem]) -> list[bytes]:
        """What each item's result depends on: content, options, revisions of the models. Blocking, but quick."""
        ...

    async def run(self, item: ClaimedItem) -> Outcome:
        """Do the work; an error that is the item's own is an outcome too.

        Raises:
            OverloadedError, UnavailableError: it can be done later.
        """
        ...
