"""Count the runners that crash over a chunk, so that an item that crashes them is found."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column, which 0003 renames to `crash_count`."""
    op.add_column("chunks", sa.Column("deaths", sa.SmallInteger, nullable=False, server_default="0"))
