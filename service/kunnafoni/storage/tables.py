"""The tables of the job store. The one description of them in code; `migrations/` holds how a database gets there.

runners   one row a living server that works on jobs; `beat` rises while it lives
jobs      what was asked for, and counters that are kept in the same transactions as the rows they count
items     the input; written once, never changed
chunks    work that is left: ranges of items, each owned by at most one runner; gone when done
results   one row an item that is done or failed: its primary key makes every result exactly once
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


class State(IntEnum):
    """How far a job is. The numbers are stored."""

    RECEIVING = 0
    RUNNING = 1
    FINISHED = 2
    CANCELLED = 3
    DELETED = 4


VISIBLE = (State.RUNNING, State.FINISHED, State.CANCELLED)
ENDED = (State.FINISHED, State.CANCELLED)

runners = Table(
    "runners",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("beat", BigInteger, nullable=False),
)

# SQLite gives a key by itself only to a column of exactly the type INTEGER.
_KEY = BigInteger().with_variant(Integer, "sqlite")

jobs = Table(
    "jobs",
    METADATA,
    Column("number", _KEY, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("request_id", String(64), unique=True),
    Column("digest", LargeBinary),
    Column("spec", LargeBinary, nullable=False),
    Column("state", SmallInteger, nullable=False),
    # The runner whose server receives the items; None once the job is complete.
    Column("receiver", String(32)),
    # Rises with every claim, over all jobs: the job with the lowest is next.
    Column("turn", BigInteger, nullable=False, default=0),
    Column("total_items", BigInteger, nullable=False, default=0),
    Column("done_items", BigInteger, nullable=False, default=0),
    Column("failed_items", BigInteger, nullable=False, default=0),
    Column("reused_items", BigInteger, nullable=False, default=0),
    Column("done_segments", BigInteger, nullable=False, default=0),
    Column("total_code_points", BigInteger, nullable=False, default=0),
    Column("settled_code_points", BigInteger, nullable=False, default=0),
    # The highest `results.place` ever given in this job.
    Column("last_place", BigInteger, nullable=False, default=0),
    # Milliseconds since 1970, by the server's clock: shown to people and used to expire, never to lease.
    Column("created_ms", BigInteger, nullable=False),
    Column("started_ms", BigInteger),
    Column("ended_ms", BigInteger),
    Index("jobs_by_state", "state", "turn"),
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
    # Never used twice, so that what was done for a chunk that is gone is not taken for another.
    Column("number", _KEY, primary_key=True),
    Column("job", _KEY, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    # Items of the range that have no result yet.
    Column("remaining", BigInteger, nullable=False),
    Column("owner", String(32)),
    # Runners that died while they owned it.
    Column("deaths", SmallInteger, nullable=False, default=0),
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
    Column("place", BigInteger, nullable=False),
    # What the result depends on; None for a failed item.
    Column("fingerprint", LargeBinary),
    Column("failed", Boolean, nullable=False),
    Column("reused", Boolean, nullable=False),
    Column("segments", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("results_by_place", "job", "place"),
    Index("results_by_fingerprint", "fingerprint"),
)
