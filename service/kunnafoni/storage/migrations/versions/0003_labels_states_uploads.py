"""Labels in a table of their own, all states told apart, uploads that can be resumed, and plainer names.

The errors of failed items were stored in a form that is not read any more: they are removed, and their jobs count as
cancelled, so that `RetryJob` runs those items again. Jobs from before this step are not found by their labels.
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
RENAMED = (
    ("runners", "beat", "heartbeat"),
    ("jobs", "receiver", "uploader"),
    ("jobs", "turn", "last_claim"),
    ("jobs", "last_place", "last_sequence"),
    ("chunks", "deaths", "crash_count"),
    ("results", "place", "sequence"),
)
ADDED = (
    sa.Column("upload_token", sa.String(32)),
    sa.Column("upload_request_id", sa.String(64)),
    sa.Column("uploaded_ms", sa.BigInteger),
)
RUNNING, ENDED, CANCELLED, QUEUED = 1, 2, 3, 5
JOBS = sa.table(
    "jobs",
    sa.column("state", sa.SmallInteger),
    sa.column("failed_items", sa.BigInteger),
    sa.column("settled_code_points", sa.BigInteger),
    sa.column("started_ms", sa.BigInteger),
    sa.column("ended_ms", sa.BigInteger),
)


def upgrade() -> None:
    """Change the tables; `kunnafoni.storage.tables` says what the columns mean."""
    for table, old, new in RENAMED:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    for column in ADDED:
        op.add_column("jobs", column)
    op.create_index("jobs_by_upload", "jobs", ["upload_request_id"])
    op.drop_index("results_by_place", "results")
    op.create_index("results_by_sequence", "results", ["job", "sequence"])
    op.create_table(
        "job_labels",
        sa.Column("job", KEY, primary_key=True),
        sa.Column("key", sa.String(63), primary_key=True),
        sa.Column("value", sa.String(255), nullable=False),
    )
    op.create_index("job_labels_by_value", "job_labels", ["key", "value", "job"])
    _forget_errors()
    waiting = sa.and_(JOBS.c.state == RUNNING, JOBS.c.started_ms.is_(None))
    op.execute(sa.update(JOBS).where(waiting).values(state=QUEUED))


def _forget_errors() -> None:
    op.execute("DELETE FROM results WHERE failed")
    op.execute("DELETE FROM chunks WHERE job IN (SELECT number FROM jobs WHERE failed_items > 0)")
    settled = sa.text(
        "(SELECT COALESCE(SUM(items.code_points), 0) FROM items JOIN results"
        " ON results.job = items.job AND results.position = items.position WHERE items.job = jobs.number)"
    )
    now_ms = time.time_ns() // 1_000_000
    incomplete = sa.and_(JOBS.c.failed_items > 0, JOBS.c.state.in_((RUNNING, ENDED, CANCELLED)))
    op.execute(
        sa.update(JOBS)
        .where(incomplete)
        .values(
            failed_items=0,
            state=CANCELLED,
            settled_code_points=settled,
            ended_ms=sa.func.coalesce(JOBS.c.ended_ms, now_ms),
        )
    )
