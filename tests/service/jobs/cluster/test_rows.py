"""What an actor makes of rows, without Ray: every row comes back, with its texts or with what is wrong."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from kunnafoni.errors import OverloadedError
from kunnafoni.jobs.cluster.rows import RowWorker
from tests.service.jobs.calls import spec
from tests.service.jobs.job_server import CapitalsWork

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kunnafoni.jobs.work import ClaimedItem, Outcome


arrow: Any = pytest.importorskip("pyarrow")


class Busy(CapitalsWork):
    """Refuses the first time."""

    refused = False

    async def run(self, item: ClaimedItem) -> Outcome:
        if not self.refused:
            self.refused = True
            raise OverloadedError(0.01)
        return await super().run(item)


@asynccontextmanager
async def busy_work() -> AsyncGenerator[Busy]:
    yield Busy()


def test_every_row_comes_back() -> None:
    worker = RowWorker(busy_work, spec("fr", "bm").SerializeToString(), text_column="body", max_code_points=10)
    batch = arrow.table(
        {
            "page": [0, 1, None, 3, 4, 2**60 + 1],
            "tags": [["a", "b"], [], None, ["c"], ["d"], ["e"]],
            "body": ["one", None, "", "too long for it", "FAIL", ""],
            "_problem": ["", "", "", None, "", "in.jsonl:6 is not JSON"],
        }
    )
    table = worker(batch)
    assert table.column_names == ["page", "tags", "body", "fr", "fr_warnings", "bm", "bm_warnings", "error"]
    assert table.select(["page", "tags", "body"]).equals(batch.select(["page", "tags", "body"]))
    made = table.to_pydict()
    assert made["fr"] == ["fr:ONE", "", "", "", "", ""]
    assert made["bm"] == ["bm:ONE", "", "", "", "", ""]
    assert made["error"][0] == ""
    assert made["error"][5] == "in.jsonl:6 is not JSON"
    for row, part in (
        (1, "absent or empty"),
        (2, "absent or empty"),
        (3, "at most 10 are taken"),
        (4, "not recognised"),
    ):
        assert part in made["error"][row]


def test_numbers_are_no_texts() -> None:
    worker = RowWorker(busy_work, spec("bm").SerializeToString(), text_column="body", max_code_points=10)
    made = worker(arrow.table({"body": [5]}))
    assert "is no text" in made["error"][0].as_py()
