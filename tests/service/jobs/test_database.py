"""The migrations lead to the tables that the code means, and may be asked for again."""

from __future__ import annotations

from contextlib import closing

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from kunnafoni.jobs.database import Database
from kunnafoni.jobs.tables import METADATA


def test_migrations_lead_to_the_tables(url: str) -> None:
    with closing(Database(url)) as database:
        database.open()
        database.open()
        with database.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
