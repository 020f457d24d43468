"""A Ray cluster on this machine, and `kunnafoni jobs run-ray` on it: what tests and a benchmark start and kill."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from kunnafoni.cli.job_messages import output_record
from kunnafoni.cli.local_server import local_server
from kunnafoni.client import JobClient
from kunnafoni.v1 import job_pb2
from kunnafoni_models.registry import BUILT_IN_CATALOG
from tests.service.jobs.calls import spec

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

ROOT = Path(__file__).parents[3]
HEAD = """
import sys, ray
ray.init("local", num_cpus=4, include_dashboard=False, object_store_memory=200_000_000, _temp_dir=sys.argv[1])
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(ROOT / "service"), str(ROOT / "models")]),
    "RAY_AUTH_MODE": "disabled",  # else a key is written to the home folder
    "RAY_USAGE_STATS_ENABLED": "0",
}


@dataclass(frozen=True)
class Cluster:
    """A head node with four processors, and a folder with the model `slow`: echo, at 0.4 s a batch."""

    address: str
    process: psutil.Process
    models: Path

    def run(self, source: Path, sink: Path, *options: str) -> subprocess.Popen[str]:
        """Start the command; two actors unless `options` say otherwise."""
        command = [sys.executable, "-m", "kunnafoni", "jobs", "run-ray", str(source), str(sink)]
        command += ["--model", "slow", "--address", self.address, *options]
        environment = {**ENVIRONMENT, "KUNNAFONI_MODELS_DIR": str(self.models)}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def actors(self) -> list[psutil.Process]:
        """The processes of the actors that translate."""
        return [process for process in self.process.children(recursive=True) if "RowWorker" in title(process)]


def title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


@contextmanager
def ray_cluster() -> Generator[Cluster]:
    """Start a cluster that ends with the context."""
    # Not pytest's own folder: the names of Ray's sockets there would be longer than the system takes.
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as name:
        models = Path(name, "models")
        models.mkdir()
        entry = (BUILT_IN_CATALOG / "echo.toml").read_text().replace('id = "echo"', 'id = "slow"')
        (models / "slow.toml").write_text(f"{entry}\n[options]\nbatch_delay_ms = 400\n")
        command = [sys.executable, "-c", HEAD, name]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, env=ENVIRONMENT, text=True, **pipes) as head:
            assert head.stdout
            address = head.stdout.readline().strip()
            assert address
            yield Cluster(address, psutil.Process(head.pid), models)
            head.communicate("")


def parts(sink: Path) -> list[Path]:
    """The parts whose rows are noted as done."""
    return [path for path in Path(f"{sink}.checkpoint", "rows").glob("*.parquet") if ".pending" not in path.name]


@contextmanager
def killed_at_the_end(process: subprocess.Popen[str]) -> Generator[None]:
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    with killed_at_the_end(process):
        output, _ = process.communicate(timeout=600)
        return process.returncode, output


def made_by_a_server(rows: Sequence[dict[str, Any]], *targets: str) -> dict[str, dict[str, str]]:
    """Columns by id, as the job service answers."""
    with local_server("--model", "echo") as server, JobClient(server.address) as client:
        items = [job_pb2.JobItem(id=row["id"], text=row["text"]) for row in rows]
        job = client.create(spec(*targets), items)
        list(client.watch(job.name))
        made: dict[str, dict[str, str]] = {}
        for result in client.results(job.name):
            error = output_record(result, job.spec.options).error
            translations = [translation.text for translation in result.translations] or [""] * len(targets)
            made[result.id] = {**dict(zip(targets, translations, strict=True)), "error": error.message if error else ""}
    return made
