"""`kunnafoni jobs run-ray` on a cluster of this machine: what a server makes of the same rows, through any death."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import until
from tests.service.jobs.cluster.ray_cluster import finish, killed_at_the_end, made_by_a_server, parts, ray_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.jobs.cluster.ray_cluster import Cluster

pytest.importorskip("ray", reason="Ray is not installed: pip install 'kunnafoni[ray]' to run these tests")
arrow: Any = pytest.importorskip("pyarrow")
parquet: Any = pytest.importorskip("pyarrow.parquet")

PART_ROWS = 20
IN_PARTS = ("--batch-rows", str(PART_ROWS))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with ray_cluster() as cluster:
        yield cluster


# Of the first rows of an archive: fields that no column of one type could hold.
OTHER_FIELDS: list[dict[str, Any]] = [
    {"tags": ["a", "b"], "year": 1999, "issue": 12},
    {"tags": [], "year": None, "issue": "12 bis"},
    {"tags": [["é", {"b": 1.5}]], "year": 2**60 + 1, "issue": 2**70},
    {"tags": "one", "issue": "\ud800 half a pair", "note": None},
]


def texts(number: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"id": f"a{i}", "text": f"The market opens at {i}. Two roads are closed.", "page": i} for i in range(number)
    ]
    rows[7]["text"] = "qwzx vbnm"
    rows[8]["text"] = ""
    return rows


@pytest.mark.timeout(900)
def test_json_lines_with_an_actor_killed(cluster: Cluster, tmp_path: Path) -> None:
    rows = texts(240)
    for row, others in enumerate(OTHER_FIELDS):
        rows[row] |= others
    lines = [json.dumps(row) for row in rows]
    lines.insert(16, '{"id": "broken", "text": ')
    source, sink = tmp_path / "archive.jsonl", tmp_path / "out"
    source.write_text("\n".join(lines) + "\n")
    process = cluster.run(source, sink, "--to", "fr,bm", *IN_PARTS)
    with killed_at_the_end(process):
        until(lambda: len(parts(sink)) >= 2)
        cluster.actors()[0].kill()
        code, output = finish(process)
    assert code == 1
    assert "3 rows failed" in output
    made = [json.loads(line) for part in sink.glob("*.json") for line in part.read_text().splitlines()]
    assert len(made) == len(lines)
    by_id = {row["id"]: row for row in made}
    assert by_id[f"{source}:17"]["error"] == f"{source}:17 is not JSON (character 26)"
    assert "empty" in by_id["a8"]["error"]
    expected = made_by_a_server([row for row in rows if row["text"]], "fr", "bm")
    assert "not recognised" in expected["a7"]["error"]
    for row_id, columns in expected.items():
        assert {name: by_id[row_id][name] for name in columns} == columns
        row = rows[int(row_id[1:])]
        assert {name: by_id[row_id][name] for name in row} == row
        assert list(by_id[row_id]) == [*row, "fr", "fr_warnings", "bm", "bm_warnings", "error"]
        assert type(by_id[row_id]["page"]) is int
    assert by_id["a9"]["fr_warnings"] == ""


@pytest.mark.timeout(900)
def test_parquet_with_the_driver_killed(cluster: Cluster, tmp_path: Path) -> None:
    rows = texts(240)
    source, sink = tmp_path / "archive.parquet", tmp_path / "out"
    for row in rows:
        row |= {"tags": ["a", row["id"]], "year": 2**60 + row["page"] if row["page"] % 3 else None}
    table = arrow.Table.from_pylist(rows)
    parquet.write_table(table, source)
    process = cluster.run(source, sink, "--to", "fr,bm", *IN_PARTS)
    with killed_at_the_end(process):
        until(lambda: len(parts(sink)) >= 2)
    until(lambda: not cluster.actors())
    before = {path.name: path.read_bytes() for part in parts(sink) for path in sink.glob(f"{part.stem}*")}
    assert 0 < len(before) < len(rows) // PART_ROWS, "it was not killed in the middle"
    code, output = finish(cluster.run(source, sink, "--to", "fr"))
    assert code == 1
    assert "was begun with to ['fr', 'bm'], not ['fr']" in output
    code, output = finish(cluster.run(source, sink, "--to", "fr,bm", *IN_PARTS))
    assert code == 1
    assert "2 rows failed" in output
    assert {path.name: path.read_bytes() for path in sink.iterdir()}.items() >= before.items(), "work was done again"
    results = parquet.read_table(sink).sort_by("page")
    assert results.select(table.column_names).cast(table.schema).equals(table)
    assert results.schema.types[: table.num_columns] == table.schema.types
    made: list[dict[str, Any]] = results.to_pylist()
    assert made_by_a_server([row for row in rows if row["text"]], "fr", "bm") == {
        row["id"]: {name: row[name] for name in ("fr", "bm", "error")} for row in made if row["text"]
    }


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (['{"id": 1, "text": "a"}', '{"id": "1", "text": "b"}'], (), "id has a value twice: 1"),
        (['{"id": "1", "text": "a"}'], ("--workers", "3"), "which takes 5 processors; the cluster has 4"),
        (['{"id": "1", "text": "a"}'], ("--model", "none-such"), "none-such"),
        (['{"text": "a"}', '{"text": "b", "bm": 1}'], (), "bm is in the source"),
        ([], (), "there are no rows"),
        (None, (), "in.jsonl"),
    ],
)
def test_what_is_wrong_is_reported_before_any_work(
    cluster: Cluster, tmp_path: Path, lines: list[str] | None, options: tuple[str, ...], message: str
) -> None:
    source = tmp_path / "in.jsonl"
    if lines is not None:
        source.write_text("".join(f"{line}\n" for line in lines))
    code, output = finish(cluster.run(source, tmp_path / "out", "--to", "bm", *options))
    assert code == 1
    assert message in output.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_left_alone(cluster: Cluster, tmp_path: Path) -> None:
    source, sink = tmp_path / "in.jsonl", tmp_path / "out"
    source.write_text('{"id": "1", "text": "a"}\n')
    sink.mkdir()
    shutil.copy(source, sink / "notes.json")
    code, output = finish(cluster.run(source, sink, "--to", "bm"))
    assert code == 1
    assert "has files that are no results of this job" in output
    assert [path.name for path in sink.iterdir()] == ["notes.json"]
