"""A PostgreSQL server of one's own, for as long as a test or benchmark needs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text

if TYPE_CHECKING:
    from collections.abc import Generator


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, the newest there is."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    found = [folder for folder in folders if (folder / "initdb").exists()]
    return found[0] if found else Path(on_path).resolve().parent if on_path else None


@contextmanager
def postgres_server(folder_of_programs: Path) -> Generator[str]:
    """Start a server; its URL, without the name of a database: `{name}` stands there."""
    # PostgreSQL refuses to run as root; its package brings a user.
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user)
        data = folder / "data"

        def run(program: str, *arguments: str) -> None:
            command = [folder_of_programs / program, "-D", data, *arguments]
            subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=120)

        run("initdb", "--auth=trust", "--username=kunnafoni", "--no-sync")
        # On a socket in the folder, so that no port is taken.
        run("pg_ctl", "--wait", "-l", str(folder / "log"), "-o", f"-k {folder} -c listen_addresses=''", "start")
        try:
            yield f"postgresql://kunnafoni@/{{name}}?host={folder}"
        finally:
            run("pg_ctl", "--wait", "--mode=immediate", "stop")


def new_database(server: str, name: str) -> str:
    """Make an empty database on a server that `postgres_server` gave; its URL."""
    engine = create_engine(server.format(name="postgres").replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.format(name=name)
