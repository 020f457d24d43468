"""The migrations lead to the tables that the code means, and may be asked for again."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from kunnafoni.storage.database import Database
from kunnafoni.storage.tables import METADATA

if TYPE_CHECKING:
    from pathlib import Path


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
