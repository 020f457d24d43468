"""For the tests of jobs: a SQLite file, a PostgreSQL of the tests' own where its programs are, a server to kill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.jobs.job_process import JobProcess
from tests.service.jobs.postgres import new_database, postgres_server, programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server that only these tests use, without the name of a database."""
    folder = programs()
    if folder is None:
        pytest.skip("no PostgreSQL server on this machine: install the package postgresql to run these tests")
    with postgres_server(folder) as url:
        yield url


@pytest.fixture
def postgres_url(postgres: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty PostgreSQL database."""
    return new_database(postgres, f"test_{abs(hash(request.node.nodeid))}")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/jobs.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[JobProcess]:
    """A server process on a SQLite file, not started yet."""
    process = JobProcess(f"sqlite:///{tmp_path}/data/jobs.db", tmp_path)
    yield process
    process.kill()
