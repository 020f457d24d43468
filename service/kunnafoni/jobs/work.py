"""What passes between those who hand out work, those who do it and those who keep what came of it. Values alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

SUSPECT_AFTER = 2
GIVE_UP_AFTER = 5


@dataclass(frozen=True, slots=True)
class ClaimedItem:
    """An item to be worked on: where it belongs, and its job's spec and its own content as bytes.

    `deaths` is how many runners died while they had its chunk: from SUSPECT_AFTER on it is alone in its chunk and is
    worked on with no other beside it, so that the next death is its own; at GIVE_UP_AFTER it is not tried again.
    """

    job: int
    chunk: int
    position: int
    code_points: int
    spec: bytes = field(repr=False)
    body: bytes = field(repr=False)
    deaths: int = 0


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

    def give_up(self, item: ClaimedItem) -> Outcome:
        """The error of an item that servers die of."""
        ...

    def fingerprints(self, items: Sequence[ClaimedItem]) -> list[bytes]:
        """What each item's result depends on: content, options, revisions of the models. Blocking, but quick."""
        ...

    async def run(self, item: ClaimedItem) -> Outcome:
        """Do the work; an error that is the item's own is an outcome too.

        Raises:
            OverloadedError, UnavailableError: it can be done later.
        """
        ...
