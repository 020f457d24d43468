"""Rows that wait, in fair order, and the choice of the next batch. No clock, no model, nobody is answered here.

Fair order is start-time fair queuing (Goyal, Vin and Cheng 1996): each caller has a lane with a tag, the tokens it has
been served, and the lowest tag is due next. A new lane starts at the virtual time, the tag that was due last, so a line
does not wait for the articles before it; while newcomers are served, time passes as if all lanes were served at once
(Demers, Keshav and Shenker 1989), so a stream of lines does not starve an article.

A batch is the row that is due, in the company of rows of its group and of like length that are due soon.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heappop, heapreplace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Hashable

    from kunnafoni.engine.caller import Caller
    from kunnafoni.engine.policy import Policy


class Row(Protocol):
    """One input of a model. Equal rows have equal answers and share one slot, so rows are hashable by content."""

    @property
    def group(self) -> Hashable:
        """Rows of one batch have the same: how to decode, and about how long they are.

        Rows that the backend runs apart had better be batches of their own: none waits for the others to be run, and
        each has a full batch of company.
        """
        ...

    @property
    def weight(self) -> int:
        """Tokens at worst, prompt and output together: what budgets, bounds and shares count. At least 1."""
        ...

    @property
    def seats(self) -> int:
        """How many rows it is where the number of rows is bounded; alike in a group. At least 1."""
        ...

    @property
    def background(self) -> bool:
        """Whether it has a seat among those that others may overtake, on a model that rows join; alike in a queue."""
        ...

    @property
    def length(self) -> int:
        """Tokens that are read. Rows of like length are read together with less padding."""
        ...

    def __hash__(self) -> int: ...


RowT = TypeVar("RowT", bound=Row)


@dataclass(slots=True, eq=False)
class Slot(Generic[RowT]):
    """The place of one row, shared by everybody who asks for it.

    Attributes:
        home: The queue that counts it.
        waiters: The futures to resolve, each with the loop time at which it was made.
        lanes: Where it stands, one lane a caller; empty once it was taken or dropped.
    """

    row: RowT
    home: FairQueue[RowT]
    waiters: dict[asyncio.Future[Any], float] = field(default_factory=dict["asyncio.Future[Any]", float])
    lanes: list[Lane[RowT]] = field(default_factory=list["Lane[RowT]"])

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits. A future that is done stays among the waiters until its callback has run."""
        return not all(future.done() for future in self.waiters)

    def leave(self) -> None:
        """Take it out of the queue, if it is still there."""
        if not self.lanes:
            return
        for lane in self.lanes:
            lane.remove(self)
        self.lanes.clear()
        self.home.rows -= 1
        self.home.tokens -= self.row.weight


@dataclass(slots=True, eq=False)
class Lane(Generic[RowT]):
    """The waiting rows of one caller in order of arrival.

    Attributes:
        siblings: All lanes of the queue, by caller.
        tag: Virtual time of its start, plus the tokens that it has been served.
        new: Whether it has not been served yet.
        tokens: Weight of its rows.
    """

    caller: Caller
    siblings: dict[Caller, Lane[RowT]]
    tag: float
    new: bool = True
    tokens: int = 0
    # Not a deque: rows leave from anywhere, when a waiter goes or when a batch of their length comes by.
    slots: OrderedDict[Slot[RowT], None] = field(default_factory=OrderedDict["Slot[RowT]", None])

    def add(self, slot: Slot[RowT]) -> None:
        """Put a slot at the end."""
        self.slots[slot] = None
        self.tokens += slot.row.weight
        slot.lanes.append(self)

    def remove(self, slot: Slot[RowT]) -> None:
        """Take out one slot, and the lane itself when that was the last."""
        del self.slots[slot]
        self.tokens -= slot.row.weight
        if not self.slots:
            del self.siblings[self.caller]


class FairQueue(Generic[RowT]):
    """The waiting rows of one priority; true while there are any.

    Attributes:
        rows: How many rows wait, shared ones counted once.
        tokens: Their weight.
    """

    def __init__(self, policy: Policy) -> None:
        self.rows = 0
        self.tokens = 0
        self._policy = policy
        self._lanes: dict[Caller, Lane[RowT]] = {}
        self._virtual_time = 0.0

    def __bool__(self) -> bool:
        return bool(self._lanes)

    @property
    def due_rows(self) -> int:
        """Rows that stand in its lanes, those that another queue counts among them; once for each caller."""
        return sum(len(lane.slots) for lane in self._lanes.values())

    @property
    def callers(self) -> set[Caller]:
        """Whose rows wait."""
        return set(self._lanes)

    @property
    def fills_batch(self) -> bool:
        """Whether about a batch waits; how much really fits depends on the lengths."""
        return self.rows >= self._policy.batch_rows or self.tokens >= self._policy.batch_tokens

    def tokens_before(self, weight: int) -> int:
        """What is served before a new caller with rows of this weight is done: as much of each lane, or all of it."""
        return sum(min(lane.tokens, weight) for lane in self._lanes.values())

    def add(self, row: RowT, caller: Caller) -> Slot[RowT]:
        """Put a new row at the end of its caller's lane."""
        slot = Slot(row, self)
        self.rows += 1
        self.tokens += row.weight
        self.share(slot, caller)
        return slot

    def share(self, slot: Slot[RowT], caller: Caller) -> None:
        """Let a slot that waits here, or in a queue of another priority, stand in this caller's lane as well."""
        lane = self._lanes.get(caller)
        if lane is None:
            lane = self._lanes[caller] = Lane(caller, self._lanes, self._virtual_time)
        if slot not in lane.slots:
            lane.add(slot)

    def cut(self, most_seats: int, most_tokens: int | None = None) -> list[Slot[RowT]]:
        """Take out the next batch, the row that is due first; the queue must not be empty.

        It weighs no more than `most_tokens`, or if that is None, than a batch may; none is taken if the row that is due
        is heavier, or takes more seats.
        """
        tokens = self._policy.batch_tokens if most_tokens is None else most_tokens
        batch = self._choose(min(most_seats, self._policy.batch_rows), tokens)
        if not batch:
            return []
        due = min((lane for lane in batch[0].lanes if lane.siblings is self._lanes), key=lambda lane: lane.tag)
        self._virtual_time = max(self._virtual_time, due.tag)
        if due.new:
            # Newcomers are due at once. If time stood still while only they are served, the others would starve.
            self._virtual_time += sum(slot.row.weight for slot in batch) / len(self._lanes)
        for slot in batch:
            for lane in slot.lanes:
                lane.new = False
                lane.tag += slot.row.weight / len(slot.lanes)
            slot.leave()
        return batch

    def _choose(self, most_seats: int, most_tokens: int) -> list[Slot[RowT]]:
        due, *others = self._due_soon()
        if due.row.weight > most_tokens or due.row.seats > most_seats:
            return []
        company = [slot for slot in others if slot.row.group == due.row.group]
        # Nearest lengths first, and then weights: their outputs end at about the same time. The sort is stable, so
        # among equal ones the fair order holds.
        company.sort(key=lambda slot: (abs(slot.row.length - due.row.length), abs(slot.row.weight - due.row.weight)))
        batch, heaviest = [due], due.row.weight
        for slot in company:
            if (len(batch) + 1) * due.row.seats > most_seats:
                break
            heavy = max(heaviest, slot.row.weight)
            if heavy * (len(batch) + 1) <= most_tokens:
                batch.append(slot)
                heaviest = heavy
        return batch

    def _due_soon(self) -> list[Slot[RowT]]:
        """The rows of the next few batches in fair order. Of lanes that tie, new ones go first."""
        tokens, rows = self._policy.window_tokens, self._policy.window_rows
        lanes = sorted((lane.tag, not lane.new, number, lane) for number, lane in enumerate(self._lanes.values()))
        # A sorted list is a heap, and a lane further back than the window is long has no row in it.
        heap = [(tag, served, number, iter(lane.slots)) for tag, served, number, lane in lanes[:rows]]
        due: dict[Slot[RowT], None] = {}
        while heap and tokens > 0 and len(due) < rows:
            tag, served, number, slots = heap[0]
            slot = next(slots, None)
            if slot is None:
                heappop(heap)
            else:
                weight = slot.row.weight
                heapreplace(heap, (tag + weight, served, number, slots))
                tokens -= weight
                due[slot] = None
        return list(due)
