"""The waiting sequences in fair order, and the choice of the next batch. It has no clock and no model.

The order is start-time fair queuing (Goyal, Vin and Cheng 1996): each request is a flow with a tag, the tokens that it
has been served, and the flow with the lowest tag is next. A new flow starts at the virtual time, the tag of the flow
that was served last, so that a line does not wait for the articles before it. While new flows are served, virtual time
passes as if all flows were served at once (Demers, Keshav and Shenker 1989), so that a stream of lines does not starve
an article.

A batch is the next sequence in fair order, with other sequences of the same batch key and of similar length that are
due soon.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import heappop, heapreplace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Hashable

    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.engine.scheduler_config import SchedulerConfig


class QueuedSequence(Protocol):
    """One input of a model. Equal sequences have equal outputs and share one entry, so they are hashable by content."""

    @property
    def batch_key(self) -> Hashable:
        """Equal within a batch: how to decode, and roughly how long the sequences are.

        Sequences that the backend would run separately should be separate batches: then none waits for the others, and
        each batch can be full.
        """
        ...

    @property
    def token_cost(self) -> int:
        """Most tokens, prompt and output together: the unit of budgets, bounds and fair shares. At least 1."""
        ...

    @property
    def slots(self) -> int:
        """KV-cache slots: the unit that bounds the number of sequences; equal within a batch key. At least 1."""
        ...

    @property
    def background(self) -> bool:
        """Whether other sequences may overtake it, with continuous batching; equal within a queue."""
        ...

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt. Sequences of similar length are read together with less padding."""
        ...

    def __hash__(self) -> int: ...


SequenceT = TypeVar("SequenceT", bound=QueuedSequence)


@dataclass(slots=True, eq=False)
class QueueEntry(Generic[SequenceT]):
    """A sequence in flight, shared by all requests for it.

    Attributes:
        queue: The queue that counts it.
        futures: The futures to resolve, each with the loop time at which it was created.
        flows: The flows in which it waits, one per request; empty once it was taken or dropped.
    """

    sequence: SequenceT
    queue: FairQueue[SequenceT]
    futures: dict[asyncio.Future[Any], float] = field(default_factory=dict["asyncio.Future[Any]", float])
    flows: list[Flow[SequenceT]] = field(default_factory=list["Flow[SequenceT]"])

    @property
    def wanted(self) -> bool:
        """Whether any request still waits. A future that is done remains here until its callback has run."""
        return not all(future.done() for future in self.futures)

    def remove(self) -> None:
        """Take it out of the queue, if it is still there."""
        if not self.flows:
            return
        for flow in self.flows:
            flow.remove(self)
        self.flows.clear()
        self.queue.sequences -= 1
        self.queue.tokens -= self.sequence.token_cost


@dataclass(slots=True, eq=False)
class Flow(Generic[SequenceT]):
    """The waiting sequences of one request in order of arrival.

    Attributes:
        flows: All flows of the queue, by request.
        tag: Virtual time of its start, plus the tokens that it has been served.
        new: Whether it has not been served yet.
        tokens: Token cost of its sequences.
    """

    context: RequestContext
    flows: dict[RequestContext, Flow[SequenceT]]
    tag: float
    new: bool = True
    tokens: int = 0
    # Not a deque: entries leave from anywhere, when a request ends or when a batch takes those of similar length.
    entries: OrderedDict[QueueEntry[SequenceT], None] = field(
        default_factory=OrderedDict["QueueEntry[SequenceT]", None]
    )

    def add(self, entry: QueueEntry[SequenceT]) -> None:
        """Append an entry."""
        self.entries[entry] = None
        self.tokens += entry.sequence.token_cost
        entry.flows.append(self)

    def remove(self, entry: QueueEntry[SequenceT]) -> None:
        """Remove an entry, and the flow itself if that was its last one."""
        del self.entries[entry]
        self.tokens -= entry.sequence.token_cost
        if not self.entries:
            del self.flows[self.context]


class FairQueue(Generic[SequenceT]):
    """The waiting sequences of one priority; true while there are any.

    Attributes:
        sequences: How many sequences wait; a shared one counts once.
        tokens: Their token cost.
    """

    def __init__(self, config: SchedulerConfig) -> None:
        self.sequences = 0
        self.tokens = 0
        self._config = config
        self._flows: dict[RequestContext, Flow[SequenceT]] = {}
        self._virtual_time = 0.0

    def __bool__(self) -> bool:
        return bool(self._flows)

    @property
    def flow_entries(self) -> int:
        """Entries of all flows: a shared one counts once per request, also if another queue counts it."""
        return sum(len(flow.entries) for flow in self._flows.values())

    @property
    def requests(self) -> set[RequestContext]:
        """The requests whose sequences wait."""
        return set(self._flows)

    @property
    def fills_batch(self) -> bool:
        """Whether about a full batch waits; how much really fits depends on the lengths."""
        return self.sequences >= self._config.max_batch_sequences or self.tokens >= self._config.max_batch_tokens

    def tokens_before(self, token_cost: int) -> int:
        """Tokens served before a new request of this token cost is done: as many of each flow, or all it has."""
        return sum(min(flow.tokens, token_cost) for flow in self._flows.values())

    def add(self, sequence: SequenceT, context: RequestContext) -> QueueEntry[SequenceT]:
        """Append a new sequence to the flow of its request."""
        entry = QueueEntry(sequence, self)
        self.sequences += 1
        self.tokens += sequence.token_cost
        self.share(entry, context)
        return entry

    def share(self, entry: QueueEntry[SequenceT], context: RequestContext) -> None:
        """Append an entry that waits here, or in the queue of another priority, to the flow of this request as well."""
        flow = self._flows.get(context)
        if flow is None:
            flow = self._flows[context] = Flow(context, self._flows, self._virtual_time)
        if entry not in flow.entries:
            flow.add(entry)

    def pop_batch(self, max_slots: int, max_tokens: int | None = None) -> list[QueueEntry[SequenceT]]:
        """Take out the next batch, its first sequence being the next in fair order; the queue must not be empty.

        Args:
            max_slots: Most slots of the batch.
            max_tokens: Its token budget; None is `max_batch_tokens`.

        Returns:
            The batch; empty if the next sequence does not fit.
        """
        tokens = self._config.max_batch_tokens if max_tokens is None else max_tokens
        batch = self._select(min(max_slots, self._config.max_batch_sequences), tokens)
        if not batch:
            return []
        served = min((flow for flow in batch[0].flows if flow.flows is self._flows), key=lambda flow: flow.tag)
        self._virtual_time = max(self._virtual_time, served.tag)
        if served.new:
            # New flows are served at once. If virtual time stood still while only they are served, others would starve.
            self._virtual_time += sum(entry.sequence.token_cost for entry in batch) / len(self._flows)
        for entry in batch:
            for flow in entry.flows:
                flow.new = False
                flow.tag += entry.sequence.token_cost / len(entry.flows)
            entry.remove()
        return batch

    def _select(self, max_slots: int, max_tokens: int) -> list[QueueEntry[SequenceT]]:
        first, *window = self._window()
        if first.sequence.token_cost > max_tokens or first.sequence.slots > max_slots:
            return []
        candidates = [entry for entry in window if entry.sequence.batch_key == first.sequence.batch_key]
        # The most similar lengths first, then the most similar token costs: their outputs end at about the same time.
        # The sort is stable, so the fair order holds among equals.
        candidates.sort(
            key=lambda entry: (
                abs(entry.sequence.prompt_tokens - first.sequence.prompt_tokens),
                abs(entry.sequence.token_cost - first.sequence.token_cost),
            )
        )
        batch, highest_cost = [first], first.sequence.token_cost
        for entry in candidates:
            if (len(batch) + 1) * first.sequence.slots > max_slots:
                break
            cost = max(highest_cost, entry.sequence.token_cost)
            if cost * (len(batch) + 1) <= max_tokens:
                batch.append(entry)
                highest_cost = cost
        return batch

    def _window(self) -> list[QueueEntry[SequenceT]]:
        """The sequences of the next few batches in fair order. Of flows with equal tags, new ones go first."""
        tokens, sequences = self._config.window_tokens, self._config.window_sequences
        flows = sorted((flow.tag, not flow.new, index, flow) for index, flow in enumerate(self._flows.values()))
        # A sorted list is a heap, and a flow further back than the window is long has no sequence in it.
        heap = [(tag, served, index, iter(flow.entries)) for tag, served, index, flow in flows[:sequences]]
        window: dict[QueueEntry[SequenceT], None] = {}
        while heap and tokens > 0 and len(window) < sequences:
            tag, served, index, entries = heap[0]
            entry = next(entries, None)
            if entry is None:
                heappop(heap)
            else:
                cost = entry.sequence.token_cost
                heapreplace(heap, (tag + cost, served, index, entries))
                tokens -= cost
                window[entry] = None
        return list(window)
