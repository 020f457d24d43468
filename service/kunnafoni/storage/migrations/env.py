"""Run by alembic: takes the steps on the connection that `database.py` hands over."""

from alembic import context

from kunnafoni.storage.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
