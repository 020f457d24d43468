"""The migrations lead to the tables that the code means, and may be asked for again."""

from __future__ import annotations

from contextlib import closing
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text

from kunnafoni.jobs.store import JobStore
from kunnafoni.storage.database import Database
from kunnafoni.storage.tables import METADATA, State


def test_space_that_is_free_goes_back_to_the_disk_in_slices(tmp_path: Path) -> None:
    def free_pages() -> int:
        with database.read() as connection:
            return connection.execute(text("PRAGMA freelist_count")).scalar_one()

    with closing(Database(f"sqlite:///{tmp_path}/jobs.db")) as database:
        database.open()
        with database.write() as connection:
            connection.execute(text("CREATE TABLE bulk (body BLOB)"))
            connection.execute(text("INSERT INTO bulk VALUES (zeroblob(2000000))"))
        with database.write() as connection:
            connection.execute(text("DROP TABLE bulk"))
        before = free_pages()
        assert before > 400
        database.give_back(100)
        assert free_pages() == before - 100
        database.give_back(10_000)
        assert free_pages() == 0
    assert (tmp_path / "jobs.db").stat().st_mode & 0o777 == 0o600


def test_migrations_lead_to_the_tables(url: str) -> None:
    with closing(Database(url)) as database:
        database.open()
        database.open()
        with database.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def upgrade_to(database: Database, revision: str) -> None:
    """Bring the tables to an earlier version, as a server of that version did."""
    with as_file(files("kunnafoni.storage") / "migrations") as scripts, database.write() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(scripts))
        command.upgrade(config, revision)


def test_jobs_of_the_version_before_get_their_states_and_lose_their_old_errors(url: str) -> None:
    with closing(Database(url)) as database:
        if not database.is_shared:
            Path(database.name).parent.mkdir()
        upgrade_to(database, "0002")
        zeros = dict.fromkeys(("turn", "reused_items", "done_segments", "last_place"), 0)
        rows = [
            # number, state, started, total, done, failed, settled
            (1, 1, None, 2, 0, 0, 0),
            (2, 1, 5, 2, 1, 0, 10),
            (3, 2, 5, 2, 2, 0, 20),
            (4, 2, 5, 2, 1, 1, 20),
            (5, 3, 5, 2, 1, 0, 10),
        ]
        with database.write() as connection:
            for number, state, started_ms, total, done, failed, settled in rows:
                values = {
                    "number": number,
                    "id": f"job-{number}",
                    "spec": b"",
                    "state": state,
                    "total_items": total,
                    "done_items": done,
                    "failed_items": failed,
                    "total_code_points": 20,
                    "settled_code_points": settled,
                    "created_ms": 1,
                    "started_ms": started_ms,
                    **zeros,
                }
                names = ", ".join(values)
                places = ", ".join(f":{name}" for name in values)
                connection.execute(text(f"INSERT INTO jobs ({names}) VALUES ({places})"), values)  # noqa: S608
            for position, is_failed in enumerate((False, True)):
                connection.execute(
                    text("INSERT INTO items (job, position, id, code_points, body) VALUES (4, :p, :i, 10, :b)"),
                    {"p": position, "i": f"id-{position}", "b": b""},
                )
                connection.execute(
                    text(
                        "INSERT INTO results (job, position, place, failed, reused, segments, body)"
                        " VALUES (4, :p, :p, :f, :r, 0, :b)"
                    ),
                    {"p": position, "f": is_failed, "r": False, "b": b""},
                )
        database.open()
        store = JobStore(database)
        assert [store.get(f"job-{number}").state for number, *_ in rows] == [
            State.QUEUED,
            State.RUNNING,
            State.SUCCEEDED,
            State.CANCELLED,
            State.CANCELLED,
        ]
        partial = store.get("job-4")
        assert (partial.done_items, partial.failed_items, partial.settled_code_points) == (1, 0, 10)
        assert store.retry("job-4").state is State.QUEUED


def test_a_connection_that_a_thread_still_holds_is_closed_when_it_is_given_back(url: str) -> None:
    database = Database(url)
    database.open()
    with database.read() as connection:
        held = connection.connection.dbapi_connection
        assert held is not None
        database.close()
        assert connection.execute(text("SELECT 1")).scalar() == 1
    with pytest.raises(Exception, match="closed"):  # each driver has an error of its own
        held.cursor().execute("SELECT 1")
