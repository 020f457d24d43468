"""The tables of the job store. The one description of them in code; `migrations/` holds how a database gets there.

runners     one row per running server that works on jobs; `heartbeat` rises while it is alive
jobs        what was asked for, and counters that are kept in the same transactions as the rows they count
job_labels  the labels of jobs, one per row, to find jobs by
items       the input; written once, never changed
chunks      work that is left: ranges of items, each owned by at most one runner; deleted when done
results     one row per item that is done or failed: its primary key makes every result exactly once
"""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
)

METADATA = MetaData()
MS_PER_DAY = 24 * 60 * 60 * 1000


class State(IntEnum):
    """How far a job is. The numbers are stored."""

    UPLOADING = 0
    RUNNING = 1
    SUCCEEDED = 2
    CANCELLED = 3
    DELETED = 4
    QUEUED = 5
    CANCELLING = 6
    PARTIALLY_SUCCEEDED = 7
    FAILED = 8


CLAIMABLE = (State.QUEUED, State.RUNNING)
ENDED = (State.SUCCEEDED, State.PARTIALLY_SUCCEEDED, State.FAILED, State.CANCELLED)
VISIBLE = (*CLAIMABLE, State.CANCELLING, *ENDED)

runners = Table(
    "runners",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("heartbeat", BigInteger, nullable=False),
)

# SQLite gives a key by itself only to a column of exactly the type INTEGER.
_KEY = BigInteger().with_variant(Integer, "sqlite")

jobs = Table(
    "jobs",
    METADATA,
    Column("number", _KEY, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    # Of a job that is complete. While it is uploaded, other calls may have the same: it is in `upload_request_id` then.
    Column("request_id", String(64), unique=True),
    # Of the spec and all items up to `total_items`.
    Column("digest", LargeBinary),
    Column("spec", LargeBinary, nullable=False),
    Column("state", SmallInteger, nullable=False),
    # The runner of the server that receives the items; None once the job is complete, and when the call has broken.
    Column("uploader", String(32)),
    # Of the call that may add items: a call that resumes the upload of another has a new one.
    Column("upload_token", String(32)),
    Column("upload_request_id", String(64)),
    # When items were last added, in milliseconds since 1970: what a broken call has left expires.
    Column("uploaded_ms", BigInteger),
    # Rises with every claim, over all jobs: the job with the lowest is next.
    Column("last_claim", BigInteger, nullable=False, default=0),
    Column("total_items", BigInteger, nullable=False, default=0),
    Column("done_items", BigInteger, nullable=False, default=0),
    Column("failed_items", BigInteger, nullable=False, default=0),
    Column("reused_items", BigInteger, nullable=False, default=0),
    Column("done_segments", BigInteger, nullable=False, default=0),
    Column("total_code_points", BigInteger, nullable=False, default=0),
    Column("settled_code_points", BigInteger, nullable=False, default=0),
    # The highest `results.sequence` ever given in this job.
    Column("last_sequence", BigInteger, nullable=False, default=0),
    # Milliseconds since 1970, by the server's clock: shown to people and used to expire, never to lease.
    Column("created_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Index("jobs_by_state", "state", "last_claim"),
    Index("jobs_by_upload", "upload_request_id"),
)

job_labels = Table(
    "job_labels",
    METADATA,
    Column("job", _KEY, primary_key=True),
    Column("key", String(63), primary_key=True),
    Column("value", String(255), nullable=False),
    # Jobs with a label, in the order in which they are listed.
    Index("job_labels_by_value", "key", "value", "job"),
)

items = Table(
    "items",
    METADATA,
    Column("job", _KEY, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("id", String(255), nullable=False),
    Column("code_points", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("job", "id", name="items_by_id"),
)

chunks = Table(
    "chunks",
    METADATA,
    # Never used twice, so that a result for a chunk that is gone is not taken for one of another chunk.
    Column("number", _KEY, primary_key=True),
    Column("job", _KEY, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    # Items of the range that have no result yet.
    Column("remaining", BigInteger, nullable=False),
    Column("owner", String(32)),
    # Runners that crashed while they owned it.
    Column("crash_count", SmallInteger, nullable=False, default=0),
    Index("chunks_by_job", "job", "first"),
    Index("chunks_by_owner", "owner"),
    sqlite_autoincrement=True,
)

results = Table(
    "results",
    METADATA,
    Column("job", _KEY, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    # Order of completion within the job, from 1, without gaps when it is given.
    Column("sequence", BigInteger, nullable=False),
    # What the result depends on; None for a failed item.
    Column("fingerprint", LargeBinary),
    Column("failed", Boolean, nullable=False),
    Column("reused", Boolean, nullable=False),
    Column("segments", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("results_by_sequence", "job", "sequence"),
    Index("results_by_fingerprint", "fingerprint"),
)
