"""A real server in a process of its own, on a free port: what `kunnafoni demo`, the tests and the benchmarks call."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kunnafoni.client import Client
from kunnafoni.config import CONFIG_FILE
from kunnafoni.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

START_TIMEOUT_S, LOOK_EVERY_S = 120.0, 1.0


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A running server: where it listens, its process, and the file with its log."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def local_server(*arguments: str, settings: Mapping[str, str | int] | None = None) -> Generator[LocalServer]:
    """Run `kunnafoni serve` with `arguments` besides the address, ready to answer; SIGTERM ends it afterwards.

    It has its own jobs and metrics, apart from those of a server that is configured here.

    Args:
        arguments: Flags; paths are absolute if `settings` are given.
        settings: They replace the environment's settings and the `kunnafoni.toml` of the working directory; None leaves
            both as they are.

    Raises:
        UnavailableError: it ended or was not ready in time; its log is on standard error.
    """
    command = [sys.executable, "-m", "kunnafoni", "serve", "--address", "localhost:0"]
    with tempfile.TemporaryDirectory() as folder:
        command += ["--data-dir", folder, *arguments]
        here = None if settings is None else folder
        environment = {k: v for k, v in os.environ.items() if settings is None or not k.startswith("KUNNAFONI_")}
        environment["KUNNAFONI_JOBS_URL"] = f"sqlite:///{folder}/jobs.db"
        environment["KUNNAFONI_METRICS_ADDRESS"] = "localhost:0"
        log = Path(folder) / "server.log"
        for name, value in (settings or {}).items():
            with (Path(folder) / CONFIG_FILE).open("a", encoding="utf-8") as lines:
                lines.write(f"{name} = {json.dumps(value)}\n")
        with (
            log.open("w") as output,
            subprocess.Popen(command, stderr=output, cwd=here, env=environment) as process,  # noqa: S603 - our own command
        ):
            try:
                address = _listening(process, log)
                _wait(process, address, log)
                yield LocalServer(address, process, log)
            finally:
                process.terminate()


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Wait until the server is ready; if it never is, its log says why."""
    end_s = time.monotonic() + START_TIMEOUT_S
    with Client(address) as client:
        while True:
            try:
                return client.wait_until_serving(LOOK_EVERY_S)
            except UnavailableError:
                if process.poll() is None and time.monotonic() < end_s:
                    continue
                process.terminate()
                process.wait()
                sys.stderr.write(log.read_text("utf-8"))
                raise


def _listening(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server says where it listens."""
    while True:
        if found := re.search(r"listening on (\S+)\n", log.read_text("utf-8")):
            return found[1]
        try:
            process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
        sys.stderr.write(log.read_text("utf-8"))
        raise UnavailableError(address="localhost")
