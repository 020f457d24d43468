"""A server process from start to end: loading, SIGTERM with calls in flight, wrong settings."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kunnafoni.app.listeners import ListenError
from kunnafoni.cli.local_server import local_server
from kunnafoni.client import Client, JobClient
from kunnafoni.config import SettingsError, load_settings
from kunnafoni.errors import KunnafoniError
from kunnafoni_models.catalog.entry_writer import write_entry
from tests.conftest import echo_entry, serve, until

if TYPE_CHECKING:
    from pathlib import Path

    from kunnafoni.cli.local_server import LocalServer
    from kunnafoni.v1.translation_pb2 import Translation

LINE = "The children of the village go to school in the morning."
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def test_sigterm_lets_running_calls_end() -> None:
    with local_server("--model", "echo") as server, Client(server.address) as client:
        client.translate(["Hello."], source="en", target="fr")
    assert server.process.returncode == 0


def test_a_local_server_leaves_the_configured_ones_jobs_and_metrics_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("localhost", 0)) as taken:
        monkeypatch.setenv("KUNNAFONI_METRICS_ADDRESS", f"localhost:{taken.getsockname()[1]}")
        monkeypatch.setenv("KUNNAFONI_JOBS_URL", f"sqlite:///{tmp_path}/production.db")
        with local_server("--model", "echo") as server, JobClient(server.address) as jobs:
            assert list(jobs.list()) == []
    assert not (tmp_path / "production.db").exists()


def test_jobs_are_served_once_their_store_is_open() -> None:
    with local_server("--model", "echo") as server, grpc.insecure_channel(server.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        request = health_pb2.HealthCheckRequest(service="kunnafoni.v1.JobService")
        states = (answer.status for answer in health.Watch(request, timeout=100))
        assert health_pb2.HealthCheckResponse.SERVING in states


def test_sigterm_in_flight_answers_the_call_and_refuses_new_ones(tmp_path: Path) -> None:
    # A second a token: the call takes 12 s on any machine.
    write_entry(tmp_path / "slow.toml", replace(echo_entry(token_delay_ms=1000), id="slow"))
    answers: list[list[Translation]] = []
    with (
        local_server("--models-dir", str(tmp_path), "--model", "slow") as server,
        Client(server.address, timeout_s=200) as client,
        grpc.insecure_channel(server.address) as channel,
    ):
        health: Any = health_pb2_grpc.HealthStub(channel)
        call = threading.Thread(
            target=lambda: answers.append(client.translate([LINE], source="en", target="fr")), daemon=True
        )
        call.start()
        until(lambda: 'kunnafoni_running_sequences{model="slow"} 1.0' in metrics_of(server))
        server.process.send_signal(signal.SIGTERM)
        until(lambda: health.Check(health_pb2.HealthCheckRequest()).status == NOT_SERVING)
        with Client(server.address, timeout_s=5) as late, pytest.raises(KunnafoniError) as caught:
            late.translate(["Hello."], source="en", target="fr")
        assert caught.value.code in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
        assert not answers
        call.join(timeout=100)
        server.process.wait(timeout=100)
    [[translation]] = answers
    assert len(translation.segments) == 1
    assert server.process.returncode == 0


def metrics_of(server: LocalServer) -> str:
    """The page of metrics."""
    found = re.search(r"metrics on http://(\S+)", server.log.read_text())
    assert found
    with urllib.request.urlopen(f"http://{found[1]}", timeout=60) as page:
        return page.read().decode()


async def test_not_serving_while_loading() -> None:
    async with serve(echo_entry()) as served:
        stub: Any = health_pb2_grpc.HealthStub(served.channel)
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING
        await served.server.stop(grace_s=0)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Check(health_pb2.HealthCheckRequest())


async def test_a_name_is_taken_if_one_of_its_addresses_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"localhost:{taken.getsockname()[1]}"
        with pytest.raises(ListenError, match=address):
            async with serve(echo_entry(), address=address):
                pass


def run(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kunnafoni", "serve", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "named", "code"),
    [
        (["--model", "nonsense"], "nonsense", 1),
        (["--address", "localhost:99999"], "address", 2),
        (["--models-dir", "/no/such/folder"], "/no/such/folder", 1),
        (["--log-level", "loud"], "log_level", 2),
    ],
)
def test_wrong_flags_are_named(tmp_path: Path, arguments: list[str], named: str, code: int) -> None:
    result = run(*arguments, folder=tmp_path)
    assert result.returncode == code
    assert named in result.stderr
    assert "Traceback" not in result.stderr


def test_wrong_settings_are_named_wherever_they_come_from(tmp_path: Path) -> None:
    result = run(folder=tmp_path, KUNNAFONI_MAX_CONTENTS="none")
    assert (result.returncode, "max_contents" in result.stderr) == (2, True)
    (tmp_path / "kunnafoni.toml").write_text("max_contnts = 3\n")
    result = run(folder=tmp_path)
    assert (result.returncode, "max_contnts" in result.stderr) == (2, True)
    (tmp_path / "kunnafoni.toml").write_text("max_contents = [\n")
    result = run(folder=tmp_path)
    assert (result.returncode, "kunnafoni.toml" in result.stderr) == (2, True)
    for name in ("contents", "content_code_points", "call_code_points", "message_bytes"):
        with pytest.raises(SettingsError, match=f"max_{name}"):
            load_settings(**{f"max_{name}": 2**31})
        assert load_settings(**{f"max_{name}": 2**31 - 1})
    for line in ("max_queue_tokens = 4096\n", "max_batch_tokens = 30000\n"):
        (tmp_path / "kunnafoni.toml").write_text(line)
        result = run(folder=tmp_path)
        assert (result.returncode, "must be at least max_batch_tokens" in result.stderr) == (2, True)
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize("url", ["foo", "mysql://db/jobs", "postgresql://me:S3CR@T@db/jobs", "postgresql://db:port/x"])
def test_a_database_that_is_none_is_named_without_its_password(tmp_path: Path, url: str) -> None:
    result = run(folder=tmp_path, KUNNAFONI_JOBS_URL=url)
    assert (result.returncode, "jobs_url" in result.stderr) == (2, True)
    assert "Traceback" not in result.stderr
    assert "S3CR" not in result.stderr
    assert "T@" not in result.stderr


def test_a_misspelt_variable_is_reported(tmp_path: Path) -> None:
    result = run("--model", "nonsense", folder=tmp_path, KUNNAFONI_ADRESS="localhost:1", KUNNAFONI_THREADS="1")
    assert "ignored: KUNNAFONI_ADRESS\n" in result.stderr


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with local_server("--model", "echo") as server:
        result = run("--address", server.address, "--model", "echo", folder=tmp_path)
    assert result.returncode == 1
    assert server.address in result.stderr
