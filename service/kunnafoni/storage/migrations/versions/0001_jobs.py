"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables; `kunnafoni.storage.tables` says what the columns mean."""
    op.create_table(
        "runners",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("beat", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "jobs",
        sa.Column("number", KEY, primary_key=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("request_id", sa.String(64), unique=True),
        sa.Column("digest", sa.LargeBinary),
        sa.Column("spec", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("receiver", sa.String(32)),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in (
                "turn",
                "total_items",
                "done_items",
                "failed_items",
                "reused_items",
                "done_segments",
                "total_code_points",
                "settled_code_points",
                "last_place",
                "created_ms",
            )
        ),
        sa.Column("started_ms", sa.BigInteger),
        sa.Column("ended_ms", sa.BigInteger),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "turn"])
    op.create_table(
        "items",
        sa.Column("job", KEY, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True),
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("code_points", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("job", "id", name="items_by_id"),
    )
    op.create_table(
        "chunks",
        sa.Column("number", KEY, primary_key=True),
        sa.Column("job", KEY, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("remaining", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(32)),
        sqlite_autoincrement=True,
    )
    op.create_index("chunks_by_job", "chunks", ["job", "first"])
    op.create_index("chunks_by_owner", "chunks", ["owner"])
    op.create_table(
        "results",
        sa.Column("job", KEY, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("reused", sa.Boolean, nullable=False),
        sa.Column("segments", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("results_by_place", "results", ["job", "place"])
    op.create_index("results_by_fingerprint", "results", ["fingerprint"])
