"""What an actor makes of rows, without Ray: every row comes back, with its texts or with what is wrong."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from kunnafoni.errors import OverloadedError, UndetectedLanguageError
from kunnafoni.jobs.cluster.rows import RowRules, RowWorker
from kunnafoni.jobs.values import ItemResult, JobKind, JobOptions, JobSpec
from kunnafoni.translation.contents import Translation
from kunnafoni.translation.sentences import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kunnafoni.jobs.values import JobItem

arrow: Any = pytest.importorskip("pyarrow")


class Busy:
    """Answers with capitals, and refuses the first time."""

    refused = False

    async def process(self, spec: JobSpec, item: JobItem, *, job: int, position: int) -> ItemResult:  # noqa: ARG002
        if not self.refused:
            self.refused = True
            raise OverloadedError(0.01)
        if "FAIL" in item.text:
            return ItemResult(error=UndetectedLanguageError("text", "und", 0.1))
        return ItemResult(
            translations=tuple(
                Translation(f"{target}:{item.text.upper()}", (), "en", None, (), Usage())
                for target in spec.options.targets
            )
        )


@asynccontextmanager
async def busy() -> AsyncGenerator[Busy]:
    yield Busy()


def worker_for(*targets: str) -> RowWorker:
    spec = JobSpec(kind=JobKind.TRANSLATE, options=JobOptions(targets=targets))
    return RowWorker(busy, RowRules(spec=spec, text_column="body", max_code_points=10))


def test_every_row_comes_back() -> None:
    worker = worker_for("fr", "bm")
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
    made = worker_for("bm")(arrow.table({"body": [5]}))
    assert "is no text" in made["error"][0].as_py()
