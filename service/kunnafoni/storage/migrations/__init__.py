"""How a database gets from any earlier version of the store to this one (alembic)."""
