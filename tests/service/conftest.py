"""Databases for the tests of jobs: a SQLite file, and a PostgreSQL of the tests' own where its programs are."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from collections.abc import Iterator


def postgres_programs() -> Path | None:
    """The folder of initdb and pg_ctl, the newest there is."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    found = [folder for folder in folders if (folder / "initdb").exists()]
    return found[0] if found else Path(on_path).resolve().parent if on_path else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server that only these tests use, without the name of a database."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server on this machine: install the package postgresql to run these tests")
    # PostgreSQL refuses to run as root; its package brings a user.
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user)
        data = folder / "data"

        def run(program: str, *arguments: str) -> None:
            command = [programs / program, "-D", data, *arguments]
            subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=120)

        run("initdb", "--auth=trust", "--username=kunnafoni", "--no-sync")
        # On a socket in the folder, so that no port is taken.
        run("pg_ctl", "--wait", "-l", str(folder / "log"), "-o", f"-k {folder} -c listen_addresses=''", "start")
        try:
            yield f"postgresql://kunnafoni@/{{name}}?host={folder}"
        finally:
            run("pg_ctl", "--wait", "--mode=immediate", "stop")


@pytest.fixture
def postgres_url(postgres: str, request: pytest.FixtureRequest) -> str:
    """The URL of an empty PostgreSQL database."""
    name = f"test_{abs(hash(request.node.nodeid))}"
    engine = create_engine(postgres.format(name="postgres").replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return postgres.format(name=name)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/jobs.db"
    return request.getfixturevalue("postgres_url")
