"""The items of a job on their way to a server: those that it has not stored yet are kept, to be sent again.

gRPC reads the requests of a call in a thread of its own, and of a call that has broken that thread may still wait for
the next item: all threads take their items here, one at a time, so that none is lost or sent twice.
"""

from __future__ import annotations

import threading
from collections import deque
from itertools import chain, islice
from typing import TYPE_CHECKING

from kunnafoni.errors import UploadLostError
from kunnafoni.v1 import job_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Messages of about this size are quick and far below what a server takes.
MAX_MESSAGE_ITEMS = 500
MAX_MESSAGE_BYTES = 1_000_000


class Outbox:
    """The items of one job.

    Attributes:
        was_accepted: Whether the server has answered any call.
        problem: What the iterable of items raised; None if it did not.
    """

    def __init__(self, items: Iterable[job_pb2.JobItem]) -> None:
        self._items = iter(items)
        # Held while items are taken from the caller, which may take long, and while `_kept` is changed, which does not.
        self._taking, self._changing = threading.Lock(), threading.Lock()
        # Items that were taken and are not known to be stored; the first of them has the place `_first` in the input.
        self._kept: deque[job_pb2.JobItem] = deque()
        self._first = 0
        self._call = 0
        self._stored = threading.Event()
        self.was_accepted = False
        self.problem: BaseException | None = None

    @property
    def stored_items(self) -> int:
        """How many items the server has, as far as is known."""
        return self._first

    def requests(self, first: job_pb2.CreateJobRequest) -> Iterator[job_pb2.CreateJobRequest]:
        """The messages of a new call: `first`, and then the items, in messages of a good size.

        The items wait for the server's answer to `first`, which says where to go on and that the server is there.
        """
        self._call += 1
        self._stored.clear()
        return self._requests(self._call, first)

    def _requests(self, call: int, first: job_pb2.CreateJobRequest) -> Iterator[job_pb2.CreateJobRequest]:
        yield first
        self._stored.wait()
        place = self._first
        while True:
            with self._taking:
                if call != self._call:  # it was given up: another call sends the rest
                    return
                request = self._message(place)
            yield request
            if request.last:
                return
            place += len(request.items)

    def _message(self, place: int) -> job_pb2.CreateJobRequest:
        """The items from a place on, in a message of a good size; `last` says that there are no more."""
        request, size = job_pb2.CreateJobRequest(), 0
        with self._changing:
            passed = place - self._first
            again = list(islice(self._kept, passed, passed + MAX_MESSAGE_ITEMS)) if passed < len(self._kept) else []
        for item in chain(again, self._new_items()):
            request.items.append(item)
            size += item.ByteSize()
            if len(request.items) >= MAX_MESSAGE_ITEMS or size >= MAX_MESSAGE_BYTES:
                return request
        request.last = True
        return request

    def _new_items(self) -> Iterator[job_pb2.JobItem]:
        """Take further items from the caller, and keep them."""
        while True:
            try:
                item = next(self._items, None)
            except BaseException as error:  # gRPC would say only that there was an error
                self.problem = error
                raise
            if item is None:
                return
            with self._changing:
                self._kept.append(item)
            yield item

    def forget(self, stored_items: int, *, done: bool = False) -> None:
        """Take note of what the server says it has; `done` if it has the whole job.

        Raises:
            UploadLostError: it has lost items that it had.
        """
        self.was_accepted = True
        if done:
            return
        with self._changing:
            if stored_items < self._first:
                raise UploadLostError
            while self._first < stored_items and self._kept:
                self._kept.popleft()
                self._first += 1
        self._stored.set()

    def give_up(self) -> None:
        """End the messages of the running call, whose thread may still wait for something."""
        self._call += 1
        self._stored.set()
