"""The jobs of a server in one place: where they come in, are found, worked on and read out."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from kunnafoni.errors import DrainingError
from kunnafoni.jobs.ingest import Ingest
from kunnafoni.jobs.results import Results
from kunnafoni.jobs.runner import Runner, RunnerOptions
from kunnafoni.jobs.store import JobStore
from kunnafoni.jobs.upload import Upload
from kunnafoni.storage.database import Database, JobStoreError

if TYPE_CHECKING:
    from pathlib import Path

    from kunnafoni.jobs.upload import UploadRequest
    from kunnafoni.jobs.work import Work

SQLITE_FILE = "jobs.db"
# A server listens before its store is open. Opening and migrating take less than this, and callers wait longer.
FIRST_OPENING_S = 20.0


class JobService:
    """Starts with `start`, ends with `stop`. Everything else but `check` is blocking."""

    def __init__(self, url: str, work: Work, runner_options: RunnerOptions | None = None) -> None:
        """Put it together, without touching the database yet.

        Args:
            url: The database, as `Database` takes it.
            work: What is done to items.
            runner_options: How the runner works; None means the defaults.
        """
        database = Database(url)
        self.ingest = Ingest(database)
        self.store = JobStore(database)
        self.results = Results(database)
        self.results_with_items = Results(database, with_items=True)
        self.runner = Runner(database, work, runner_options or RunnerOptions())
        self.draining = False
        self._running: asyncio.Task[None] | None = None

    @property
    def usable(self) -> bool:
        """Whether the store can be used now."""
        return self.runner.store_error is None

    async def check(self) -> None:
        """Check that the store can be used; just after the start, wait until that is known.

        Raises:
            DrainingError: the server is shutting down, and whoever follows a job must come back later.
            JobStoreError: it cannot be used.
        """
        if self.draining:
            raise DrainingError
        if not self.runner.store_checked.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.runner.store_checked.wait(), FIRST_OPENING_S)
        if self.runner.store_error:
            # A new error each time: one that is raised again and again collects all the traces.
            store, problem = (self.runner.store_error.parameters[name] for name in ("store", "problem"))
            raise JobStoreError(store=store, problem=problem)

    def upload(self, request: UploadRequest) -> Upload:
        """Take a job in: see `Upload`."""
        return Upload(self.ingest, self.runner.leases, request)

    def start(self) -> None:
        """Open the store and begin to work, in the background; an error of the store is waited out."""
        self._running = asyncio.create_task(self.runner.run())

    async def stop(self) -> None:
        """Store what is finished, give the rest back, close the store."""
        if self._running:
            self.runner.stop()
            await self._running
            self._running = None


def store_url(jobs_url: str, data_dir: Path) -> str:
    """The database that the settings ask for: `jobs_url`, or a file in `data_dir` if that is empty."""
    return jobs_url or f"sqlite:///{data_dir / SQLITE_FILE}"
