"""The database: SQLite in a file that one server has for itself, or PostgreSQL that several servers share.

It opens, migrates, begins transactions and says in words what is wrong. It knows no tables. All of it is blocking.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from contextlib import contextmanager, nullcontext
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from kunnafoni.errors import UnavailableError
from kunnafoni_models.extras import needs_extra

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TextIO

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

LOG = logging.getLogger(__name__)
BUSY_TIMEOUT_S = 30
MIGRATION_LOCK = 0x6B756E6E61  # any number that no other program locks in the same database
# What SQLite's own messages leave out.
REMEDIES = {
    "SQLITE_FULL": "the disk is full; free some space",
    "SQLITE_READONLY": "it cannot be written; check the rights on the folder, its file system and the database file",
    "SQLITE_CANTOPEN": "it cannot be opened; check the rights on the folder",
    "SQLITE_CORRUPT": "the file is damaged; stop the server, put back a copy or move the file away, and start again",
    "SQLITE_NOTADB": "the file is no database; stop the server, put back a copy or move the file away, and start again",
    "SQLITE_IOERR": "the disk cannot be read or written; check its space, limits and health",
    "SQLITE_BUSY": "another process holds the file; is it open in a database tool?",
}


class JobStoreError(UnavailableError):
    """The job store cannot be read or written now; nothing that was acknowledged is lost."""

    reason = "JOB_STORE"
    english_template = "The job store {store} cannot be used: {problem}."
    french_template = "Le stockage des travaux {store} est inutilisable : {problem}."


class Database:
    """A database that is opened, and opened again after any trouble; safe to share between threads."""

    def __init__(self, url: str) -> None:
        """Describe it, without touching it yet.

        Args:
            url: `sqlite:///FILE` or `postgresql://USER@HOST/NAME`, as SQLAlchemy reads them.

        Raises:
            MissingExtraError: the driver for PostgreSQL is not installed.
        """
        parsed = make_url(url)
        self.is_shared = parsed.get_backend_name() != "sqlite"
        self.name = f"{parsed.host or 'localhost'}/{parsed.database}" if self.is_shared else str(parsed.database)
        self._path = Path(self.name)
        self._lock_file: TextIO | None = None
        # SQLite has one writer; waiting for it here is fair, and costs no polling.
        self._writer = nullcontext() if self.is_shared else threading.Lock()
        if self.is_shared:
            with needs_extra("postgres", "a job store in PostgreSQL"):
                self._engine = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
        else:
            self._engine = create_engine(parsed)
            _configure_sqlite(self._engine)
        self._writing = self._engine.execution_options(writing=True)
        self._pool_number = 0
        event.listen(self._engine, "connect", self._on_connect)
        event.listen(self._engine, "checkin", self._on_checkin)

    def open(self) -> None:
        """Lock the file for this server (SQLite) and bring the tables up to this version. May be called again.

        Raises:
            JobStoreError: it cannot be used; the message says why and what to do.
        """
        # Slow to import, and this runs in a thread: the server listens meanwhile.
        from alembic import command  # noqa: PLC0415
        from alembic.config import Config  # noqa: PLC0415

        with self._guard():
            self._dispose()
            if not self.is_shared:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._lock()
                self._path.touch(mode=0o600)  # it holds articles that nobody has published yet
            with self.write() as connection, as_file(files("kunnafoni.storage") / "migrations") as scripts:
                if self.is_shared:  # servers that start together take turns
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
                config = Config(attributes={"connection": connection})
                config.set_main_option("script_location", str(scripts))
                command.upgrade(config, "head")

    def close(self) -> None:
        """Close all connections and let another server have the file."""
        self._dispose()
        if self._lock_file:
            self._lock_file.close()
            self._lock_file = None

    def _dispose(self) -> None:
        """Close the connections of the pool now, and those that threads still hold when they give them back."""
        self._pool_number += 1
        self._engine.dispose()

    def _on_connect(self, _: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        entry.info["pool_number"] = self._pool_number

    def _on_checkin(self, connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        if connection is not None and entry.info.get("pool_number") != self._pool_number:
            connection.close()

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A transaction that only reads; it sees one state of the database.

        Raises:
            JobStoreError: the database cannot be read.
        """
        with self._guard(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection]:
        """A transaction that may write; it is durable once the context is left without an exception.

        Raises:
            JobStoreError: the database cannot be written.
            IntegrityError: a row breaks a constraint.
        """
        with self._guard(), self._writer, self._writing.begin() as connection:
            yield connection

    def give_back(self, pages: int) -> None:
        """Give at most so many free pages of a SQLite file back to the disk; PostgreSQL does that by itself.

        Raises:
            JobStoreError: the database cannot be written.
        """
        if self.is_shared:
            return
        with self._guard(), self._writer, self._engine.connect() as connection:
            # `execute` would take one step of the pragma, which is one page.
            connection.connection.cursor().executescript(f"PRAGMA incremental_vacuum({pages})")

    def _lock(self) -> None:
        """Lock a file beside the database; the system unlocks it when this process ends, however it ends."""
        if self._lock_file:
            return
        # Not closed here: the lock lasts as long as the file is open.
        lock_file = Path(f"{self._path}.lock").open("a+", encoding="ascii")  # noqa: SIM115
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock_file.seek(0)
            holder = lock_file.read().strip() or "?"
            lock_file.close()
            remedy = "give this one its own data_dir, or both the same PostgreSQL jobs_url"
            raise self._error(f"another server (process {holder}) uses it; {remedy}") from error
        lock_file.truncate(0)
        lock_file.write(str(os.getpid()))
        lock_file.flush()
        self._lock_file = lock_file

    def _error(self, problem: str) -> JobStoreError:
        return JobStoreError(store=self.name, problem=problem)

    @contextmanager
    def _guard(self) -> Generator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise self._error(_problem(error.orig or error)) from error
        except (SQLAlchemyError, OSError) as error:
            raise self._error(str(error)) from error


def _problem(error: BaseException) -> str:
    name = str(getattr(error, "sqlite_errorname", ""))
    first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
    remedy = next((remedy for known, remedy in REMEDIES.items() if name.startswith(known)), "")
    return f"{remedy} ({first_line})" if remedy else first_line


def _configure_sqlite(engine: Engine) -> None:
    """Write-ahead log, full durability, and transactions that begin here and not in Python's module."""

    def connect(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_S * 1000}",
            "auto_vacuum = INCREMENTAL",
            "journal_mode = WAL",
            "synchronous = FULL",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later could find the write lock taken and would have to start again.
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)
