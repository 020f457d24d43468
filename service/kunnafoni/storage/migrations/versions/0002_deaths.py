"""Count the runners that die over a chunk, so that an item that kills them is found."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; `kunnafoni.storage.tables` says what it means."""
    op.add_column("chunks", sa.Column("deaths", sa.SmallInteger, nullable=False, server_default="0"))
