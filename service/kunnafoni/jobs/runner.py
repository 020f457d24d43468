"""Works through jobs: claims items, works on many at once, stores what comes of them, keeps its lease alive.

It outlasts errors, of the store or of its own: results wait in memory, nothing new is claimed, and it opens the store
again and again until that works. Results are stored as soon as there are any; those that come while they are stored go
into the next transaction. So a crash costs what is in flight and no more. It knows no messages and no models: what is
done to an item is a `Work`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kunnafoni.errors import OverloadedError, UnavailableError
from kunnafoni.jobs.ingest import Ingest
from kunnafoni.jobs.leases import Leases
from kunnafoni.jobs.store import JobStore
from kunnafoni.jobs.work import GIVE_UP_AFTER_CRASHES, SUSPECT_AFTER_CRASHES, Outcome
from kunnafoni.storage.database import Database, JobStoreError

if TYPE_CHECKING:
    from kunnafoni.jobs.work import ClaimedItem, Work

LOG = logging.getLogger(__name__)
CHUNKS_PER_CLAIM = 4
IDLE_S = 1.0
ABORT_WAIT_S = 0.2
MIN_RETRY_S, MAX_RETRY_S = 0.5, 30.0
EXPIRE_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerOptions:
    """How fast a runner works, and how long it keeps things.

    Attributes:
        lease_s: Seconds without a heartbeat after which other servers take over this one's items.
        max_items: Most items in flight.
        max_code_points: Most code points in flight, though always at least one item. They need only keep the engine's
            queue of jobs filled; what is in flight is lost in a crash.
        expiry_days: Days after which an ended job is removed; 0 keeps all forever.
    """

    lease_s: float = 30.0
    max_items: int = 256
    max_code_points: int = 60_000
    expiry_days: float = 30.0


class Runner:
    """The one runner of a server.

    Attributes:
        store_error: Why the store cannot be used now; None if it can.
        store_checked: Set once the store has been opened for the first time, or has been found unusable.
    """

    def __init__(self, database: Database, work: Work, runner_options: RunnerOptions) -> None:
        self.store_error: JobStoreError | None = JobStoreError(store=database.name, problem="it is not open yet")
        self.store_checked = asyncio.Event()
        self.leases = Leases(database, lease_s=runner_options.lease_s)
        self._database = database
        self._store = JobStore(database)
        self._ingest = Ingest(database)
        self._work = work
        self._options = runner_options
        self._tasks: dict[asyncio.Task[None], ClaimedItem] = {}
        self._code_points = 0
        self._finished: list[Outcome] = []
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()
        self._stopping = False
        self._registered = False
        self._next_heartbeat_s = self._next_look_s = self._next_expiry_s = 0.0

    def wake(self) -> None:
        """Say that there may be work, or less of it than before; without it the runner looks once a second."""
        self._next_look_s = 0.0
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`."""
        retry_s = MIN_RETRY_S
        while not self._stopping:
            try:
                await asyncio.to_thread(self._open)
                if retry_s > MIN_RETRY_S:
                    LOG.info("the job store is in use again")
                self.store_error, retry_s = None, MIN_RETRY_S
                self.store_checked.set()
                while not self._stopping:
                    await self._iterate()
            except Exception as error:  # noqa: BLE001 - whatever it is, the jobs go on when it is over
                self._record_error(error)
                self.store_checked.set()
                await self._sleep(retry_s)
                retry_s = min(2 * retry_s, MAX_RETRY_S)
        await self._shut_down()

    async def progress(self, timeout_s: float) -> None:
        """Return when this runner has stored results, or after `timeout_s` seconds: other servers store some too."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._progress.wait(), timeout_s)

    def stop(self) -> None:
        """Let `run` store what is finished, drop what is in flight, give its items back and return."""
        self._stopping = True
        self._wake.set()

    def _record_error(self, error: Exception) -> None:
        """Log an error when it is new, without the messages of errors that may quote an article."""
        if isinstance(error, JobStoreError):
            store_error = error
        else:
            store_error = JobStoreError(store=self._database.name, problem=f"bug: {type(error).__name__}, see the log")
        if self.store_error is None or str(store_error) != str(self.store_error):
            trace = "" if store_error is error else "".join(traceback.format_tb(error.__traceback__))
            LOG.error("%s\n%s" if trace else "%s%s", store_error, trace)
        self.store_error = store_error

    def _open(self) -> None:
        self._database.open()
        if self._registered and self.leases.heartbeat():
            # A claim may have been made although its transaction was reported as failed.
            self.leases.keep_only(
                {item.chunk for item in self._tasks.values()} | {o.item.chunk for o in self._finished}
            )
        else:
            self.leases.register()
            self._registered = True

    async def _iterate(self) -> None:
        self._wake.clear()
        await self._do_what_is_due()
        await self._store_finished()
        if await self._claim():
            return
        await self._sleep(IDLE_S)

    async def _sleep(self, delay_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), delay_s)
        self._wake.clear()

    async def _do_what_is_due(self) -> None:
        """What is due by time: the heartbeat, items that are no longer to be worked on, old jobs and uploads."""
        now_s = time.monotonic()
        if now_s >= self._next_heartbeat_s:
            self._next_heartbeat_s = now_s + self._options.lease_s / 3
            if not await asyncio.to_thread(self.leases.heartbeat):
                LOG.warning("this server was taken for dead: others have its items now; is it short of processor time?")
                await asyncio.to_thread(self.leases.register)
                self._next_look_s = now_s  # what is being worked on has other owners: it is dropped before a new claim
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + IDLE_S
            if self._tasks:
                await self._drop_unwanted()
            await asyncio.to_thread(self._store.purge)
        if now_s >= self._next_expiry_s:
            self._next_expiry_s = now_s + EXPIRE_EVERY_S
            await asyncio.to_thread(self._ingest.expire)
            if self._options.expiry_days:
                await asyncio.to_thread(self._store.expire, days=self._options.expiry_days)

    async def _drop_unwanted(self) -> None:
        """Stop working on items that are no longer this runner's, and on those of cancelled jobs."""
        wanted, cancelled = await asyncio.to_thread(self.leases.owned)
        unwanted = [task for task, item in self._tasks.items() if item.chunk not in wanted]
        for task in unwanted:
            if not task.cancelling():
                task.cancel()
        if cancelled:
            if unwanted:
                await asyncio.wait(unwanted, timeout=ABORT_WAIT_S)
            await self._store_finished()
            at_work = {item.chunk for item in self._tasks.values()}  # these are dropped when they have stopped
            await asyncio.to_thread(self.leases.drop_cancelled, cancelled - at_work)
            self._announce_progress()

    async def _store_finished(self) -> None:
        if outcomes := list(self._finished):
            await asyncio.to_thread(self.leases.complete, outcomes)
            del self._finished[: len(outcomes)]
            self._announce_progress()

    def _announce_progress(self) -> None:
        self._progress.set()
        self._progress = asyncio.Event()

    async def _claim(self) -> bool:
        """Claim items and start on them, if there is room; returns whether there were any."""
        if any(item.crash_count >= SUSPECT_AFTER_CRASHES for item in self._tasks.values()):
            return False
        if len(self._tasks) > self._options.max_items // 2 or self._code_points > self._options.max_code_points // 2:
            return False
        claimed = await asyncio.to_thread(self._claim_with_earlier_results)
        for item, known in claimed:
            if known:
                self._finish(known)
            elif item.crash_count >= GIVE_UP_AFTER_CRASHES:
                self._finish(self._work.give_up(item))
            else:
                self._start(item)
        return bool(claimed)

    def _claim_with_earlier_results(self) -> list[tuple[ClaimedItem, Outcome | None]]:
        """Claim items and look for earlier results of the same content, options and models."""
        items = self.leases.claim(max_chunks=CHUNKS_PER_CLAIM, alone=not self._tasks)
        fingerprints = self._work.fingerprints(items)
        known = self.leases.earlier_results(fingerprints) if items else {}
        return [
            (
                item,
                Outcome(item, body=known[key][0], segments=known[key][1], fingerprint=key, reused=True)
                if key in known
                else None,
            )
            for item, key in zip(items, fingerprints, strict=True)
        ]

    def _start(self, item: ClaimedItem) -> None:
        task = asyncio.create_task(self._work_on(item))
        self._tasks[task] = item
        self._code_points += item.code_points
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._code_points -= self._tasks.pop(task).code_points
        self._wake.set()

    async def _work_on(self, item: ClaimedItem) -> None:
        while True:
            try:
                outcome = await self._work.run(item)
            except (OverloadedError, UnavailableError) as error:
                await asyncio.sleep(error.retry_after_s or IDLE_S)
            else:
                break
        self._finish(outcome)

    def _finish(self, outcome: Outcome) -> None:
        self._finished.append(outcome)
        self._wake.set()

    async def _shut_down(self) -> None:
        """Store what is finished and give the rest back, so that other servers have it at once."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._registered:
            with contextlib.suppress(JobStoreError):
                await self._store_finished()
                await asyncio.to_thread(self.leases.unregister)
        await asyncio.to_thread(self._database.close)
