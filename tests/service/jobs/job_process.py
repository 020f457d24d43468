"""A `job_server` in a process of its own, to be killed, starved and started again on the same address."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from kunnafoni.storage import tables
from kunnafoni.storage.database import Database

ROOT = Path(__file__).parents[3]


def free_address() -> str:
    """An address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return f"localhost:{probe.getsockname()[1]}"


@dataclass
class JobProcess:
    """Call `start`, then `kill` or `stop`, as often as you like.

    Attributes:
        wrapper: Command that runs the server's command.
        log: File of the items that were worked on, one a line, over all lives.
        errors: What all lives wrote to standard error.
    """

    url: str
    folder: Path
    delay_ms: float = 2.0
    lease_s: float = 30.0
    wrapper: tuple[str, ...] = ()
    address: str = field(default_factory=free_address)
    process: subprocess.Popen[str] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.address}.log"

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    @property
    def _errors(self) -> Path:
        return self.folder / f"{self.address}.errors"

    def start(self, *, log: bool = True) -> None:
        """Start, and return when it listens."""
        options = [f"--delay-ms={self.delay_ms}", f"--lease-s={self.lease_s}", f"--address={self.address}"]
        if log:
            options.append(f"--log={self.log}")
        command = [*self.wrapper, sys.executable, "-m", "tests.service.jobs.job_server", self.url, *options]
        with self._errors.open("a") as errors:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("listening"), self.errors

    def worked(self) -> list[int]:
        """The items that were worked on, in order, some more than once."""
        return [int(line) for line in self.log.read_text().split()] if self.log.exists() else []

    def stored(self) -> set[int]:
        """The items that have a result in its store."""
        with contextlib.closing(Database(self.url)) as database, database.read() as connection:
            return set(connection.execute(select(tables.results.c.position)).scalars())

    def uploaded(self) -> int:
        """How many items its store has, of all jobs."""
        with contextlib.closing(Database(self.url)) as database, database.read() as connection:
            return connection.execute(select(func.count()).select_from(tables.items)).scalar_one()

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        os.kill(self.process.pid, number)

    @property
    def died(self) -> bool:
        """Whether it has ended by itself; `kill` then clears up after it."""
        return bool(self.process) and self.process.poll() is not None

    def kill(self) -> None:
        """As the kernel or a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an operator would."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
            self.process.wait(30)
            if self.process.stdout:
                self.process.stdout.close()
            self.process = None
