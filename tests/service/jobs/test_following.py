"""A client that follows a job: what it outlasts, and when it gives up."""

from __future__ import annotations

import signal
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from kunnafoni.client import JobClient
from kunnafoni.errors import UnavailableError
from tests.service.jobs.calls import create_when_ready, follow_in_thread, texts

if TYPE_CHECKING:
    from tests.service.jobs.job_process import JobProcess


def test_patience_counts_from_when_the_server_goes(process: JobProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead_s = 0.0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead_s, sleep=time.sleep)
    monkeypatch.setattr("kunnafoni.client.job_client.time", clock)
    process.delay_ms = 4000
    process.start()
    with JobClient(process.address, patience_s=100.0) as client:
        job = create_when_ready(client, texts(1))
        reader, results = follow_in_thread(client, job.name)
        time.sleep(1)
        ahead_s = 1000.0  # nothing to tell for longer than its patience
        process.kill()
        process.start()
        reader.join(60)
        assert len(results) == 1
        process.kill()
        with pytest.raises(UnavailableError):  # at once: there is no server to come back to
            next(client.watch(job.name))


def test_a_server_that_hangs_counts_as_gone(process: JobProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kunnafoni.client.job_client.PING_EVERY_MS", 1000)
    monkeypatch.setattr("kunnafoni.client.job_client.PING_TIMEOUT_MS", 1000)
    process.delay_ms = 1000
    process.start()
    with JobClient(process.address, patience_s=1.0, timeout_s=8.0) as client:
        job = create_when_ready(client, texts(100))
        watched = client.watch(job.name)
        next(watched)
        process.signal(signal.SIGSTOP)
        with pytest.raises(UnavailableError):
            list(watched)
        process.signal(signal.SIGCONT)
