"""`kunnafoni jobs` as a person uses it, against a server of nothing but jobs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from kunnafoni.cli.jobs import jobs
from tests.conftest import until
from tests.service.jobs.job_process import ROOT, JobProcess

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path


@contextmanager
def running(folder: Path, *, delay_ms: float) -> Generator[JobProcess]:
    process = JobProcess(f"sqlite:///{folder}/jobs.db", folder, delay_ms)
    process.start()
    until(lambda: run(process, "list")[0] == 0)  # the store is open
    yield process
    process.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobProcess]:
    with running(tmp_path_factory.mktemp("server"), delay_ms=2) as process:
        yield process


@pytest.fixture(scope="module")
def slow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobProcess]:
    """A server that takes two minutes for 5,000 items."""
    with running(tmp_path_factory.mktemp("slow"), delay_ms=200) as process:
        yield process


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with some files, where the command is run."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("in.txt", "text"), ("in.dat", "text"), ("empty.txt", "")):
        (tmp_path / name).write_text(text)
    return tmp_path


def run(server: JobProcess, *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    outcome = CliRunner().invoke(jobs, [*map(str, arguments), "--server", server.address])
    problem = f"{outcome.exception}\n" if outcome.exception and not isinstance(outcome.exception, SystemExit) else ""
    return outcome.exit_code, outcome.stdout, outcome.stderr + problem


def archive(folder: Path, number: int = 30) -> Path:
    path = folder / "archive.jsonl"
    path.write_text("".join(json.dumps({"id": f"a{i}", "text": f"text {i}"}) + "\n" for i in range(1, number + 1)))
    return path


def test_submit_wait_and_results(server: JobProcess, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    code, job_id, stderr = run(server, "submit", archive(tmp_path), "--to", "fr,bm", "--wait", "-o", out)
    assert code == 0
    assert "succeeded: 30 of 30 items" in stderr
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert lines[4] == {"id": "a5", "fr": "fr:TEXT 5", "bm": "bm:TEXT 5"}
    assert len(lines) == 30
    code, shown, _ = run(server, "show", job_id.strip())
    assert code == 0
    assert "30 of 30" in shown
    assert job_id.strip() in run(server, "list", "--format", "json")[1]
    code, _, stderr = run(server, "results", job_id.strip(), "-o", out)
    assert code == 2
    assert "exists" in stderr
    assert run(server, "results", job_id.strip(), "-o", out, "--force")[0] == 0
    assert run(server, "results", job_id.strip())[1] == out.read_text()
    assert run(server, "watch", job_id.strip())[0] == 0
    assert run(server, "delete", job_id.strip())[0] == 0
    code, _, stderr = run(server, "show", job_id.strip())
    assert code == 1
    assert "There is no job" in stderr


def test_a_terminal_gets_a_bar(server: JobProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, job_id, stderr = run(server, "submit", archive(tmp_path, 500), "--to", "fr", "--wait")
    assert code == 0
    assert "\x1b[" not in stderr
    monkeypatch.setenv("FORCE_COLOR", "1")  # to rich, a terminal
    code, _, stderr = run(server, "watch", job_id.strip())
    assert code == 0
    assert "\x1b[" in stderr
    assert "succeeded: 500 of 500 items" in stderr


def test_results_of_a_running_job_say_so(slow_server: JobProcess, tmp_path: Path) -> None:
    job_id = run(slow_server, "submit", archive(tmp_path, 5000), "--to", "bm")[1].strip()
    out = tmp_path / "out.jsonl"
    code, _, stderr = run(slow_server, "results", job_id, "-o", out)
    assert code == 0
    assert "still runs" in stderr
    assert len(out.read_text().splitlines()) < 5000
    assert run(slow_server, "cancel", job_id)[0] == 0


def test_a_job_that_was_cancelled_is_no_success(slow_server: JobProcess, tmp_path: Path) -> None:
    job_id = run(slow_server, "submit", archive(tmp_path, 5000), "--to", "bm")[1].strip()
    assert run(slow_server, "cancel", job_id)[0] == 0
    out = tmp_path / "out.jsonl"
    code, _, stderr = run(slow_server, "results", job_id, "-o", out)
    assert code == 1
    assert "was cancelled" in stderr
    assert out.exists()
    code, _, stderr = run(slow_server, "watch", job_id)
    assert code == 1
    assert "cancelled" in stderr


def test_the_list_shows_whole_identifiers_and_any_label(
    server: JobProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = ["--label", "desk=[/sport]", "--label", "week=2026-W48", "--label", "region=kayes-and-koulikoro"]
    job_id = run(server, "submit", archive(tmp_path), "--to", "fr", *labels)[1].strip()
    monkeypatch.setenv("COLUMNS", "80")
    code, listed, _ = run(server, "list")
    assert code == 0
    assert job_id in listed
    assert "[/" in listed


def test_what_cannot_be_taken_is_reported_and_the_rest_goes_on(server: JobProcess, tmp_path: Path) -> None:
    path = archive(tmp_path)
    lines = path.read_text().splitlines()
    lines[16] = "{broken"
    lines[20] = lines[3]
    path.write_text("\n".join(lines))
    code, job_id, stderr = run(server, "submit", path, "--to", "fr", "--wait")
    assert code == 1
    assert "archive.jsonl:17 is not JSON" in stderr
    assert "archive.jsonl:21 has the id of an earlier item: a4" in stderr
    assert "28 of 28" in run(server, "show", job_id.strip())[1]


def test_failed_items_and_retry(server: JobProcess, tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("good\nFAIL\n")
    out = tmp_path / "out.csv"
    code, job_id, _ = run(server, "submit", path, "--to", "fr", "--wait", "-o", out)
    assert code == 1
    [error] = map(json.loads, (tmp_path / "out.csv.errors.jsonl").read_text().splitlines())
    assert (error["id"], error["reason"]) == ("2", "LANGUAGE_NOT_DETECTED")
    server.log.with_suffix(".repaired").touch()
    assert "queued" in run(server, "retry", job_id.strip())[1]
    assert run(server, "watch", job_id.strip())[0] == 0
    assert run(server, "results", job_id.strip(), "-o", out, "--force")[0] == 0
    assert "fr:FAIL" in out.read_text()
    assert not (tmp_path / "out.csv.errors.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["in.txt", "--to", "xx"], 2, "'xx' is no language"),
        (["empty.txt", "--to", "fr"], 1, "send at least one item"),
        (["none.txt", "--to", "fr"], 1, "none.txt"),
        (["in.dat", "--to", "fr"], 2, "--input-format"),
        (["in.txt", "--to", "fr", "-o", "out.jsonl"], 2, "--wait"),
        (["in.txt", "--to", "fr", "--wait", "-o", "in.txt", "--format", "csv"], 2, "exists"),
        (["in.txt", "--to", "fr", "--wait", "-o", "no/out.csv"], 2, "does not exist"),
        (["in.txt", "--to", "fr", "--wait", "-o", "out.tmx", "--summarize"], 2, "TMX holds translations"),
        (["in.txt", "--to", "fr", "--label", "x"], 2, "KEY=VALUE"),
    ],
)
def test_wrong_use(
    server: JobProcess,
    in_folder: Path,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    found, _, stderr = run(server, "submit", *arguments)
    assert found == code
    assert message in " ".join(stderr.replace("│", " ").split())
    assert not (in_folder / "out.jsonl").exists()


def test_ctrl_c_detaches(server: JobProcess, tmp_path: Path) -> None:
    path = archive(tmp_path, 30_000)
    # A process that was started in the background, as this one may have been, has its children ignore Ctrl-C.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += "from kunnafoni.cli.jobs import jobs; jobs()"
    command = [sys.executable, "-c", program, "submit", path, "--to", "fr", "--wait", "--server", server.address]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        job_id = process.stdout.readline().strip()
        assert job_id
        assert process.stderr
        assert process.stderr.readline()  # of its progress: it follows
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=100)
    assert process.returncode == 130
    assert f"kunnafoni jobs watch {job_id}" in stderr
    assert "running" in run(server, "show", job_id)[1]
    assert "cancel" in run(server, "cancel", job_id)[1]
