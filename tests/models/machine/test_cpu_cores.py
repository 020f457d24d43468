"""Cores under affinity and quotas, and memory under limits, on control groups made of files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kunnafoni_models.machine.cgroups import own_cgroups
from kunnafoni_models.machine.cpu_cores import parallel_batches, usable_cores
from kunnafoni_models.machine.free_memory import free_in_cgroup

if TYPE_CHECKING:
    from pathlib import Path

CORES = 8


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(CORES)))  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        ({}, 8),
        ({"": "max 100000"}, 8),
        ({"": "200000 100000"}, 2),
        ({"": "150000 100000"}, 1),
        ({"": "50000 100000"}, 1),
        ({"": "1600000 100000"}, 8),
        ({"": "max 100000", "pod": "300000 100000", "pod/box": "max 100000"}, 3),
        ({"pod/box": "400000 100000", "pod": "600000 100000"}, 4),
        ({"pod/box": "nonsense"}, 8),
    ],
)
def test_the_smallest_limit_counts(tmp_path: Path, limits: dict[str, str], cores: int) -> None:
    groups, own = tmp_path / "cgroup", tmp_path / "own"
    (groups / "pod" / "box").mkdir(parents=True)
    own.write_text("0::/pod/box\n" if any(limits) else "0::/\n")
    for group, limit in limits.items():
        (groups / group / "cpu.max").write_text(f"{limit}\n")
    assert usable_cores(own_cgroups(groups, own)) == cores


def test_without_control_groups_affinity_counts(tmp_path: Path) -> None:
    assert usable_cores(own_cgroups(tmp_path / "none", tmp_path / "none")) == CORES
    assert usable_cores() <= CORES


def test_free_memory_of_a_cgroup_is_its_limit_less_what_is_used_and_not_cached(tmp_path: Path) -> None:
    assert free_in_cgroup(tmp_path) is None
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("500\n")
    assert free_in_cgroup(tmp_path) is None
    (tmp_path / "memory.max").write_text("2000\n")
    (tmp_path / "memory.stat").write_text("anon 1\nactive_file 100\ninactive_file 20\n")
    assert free_in_cgroup(tmp_path) == 2000 - 500 + 120


def test_parallel_batches_are_as_many_as_wanted_up_to_the_threads() -> None:
    assert [parallel_batches(4, wanted=wanted) for wanted in (1, 3, 4, 9)] == [1, 3, 4, 4]


def test_parallel_batches_leave_few_threads_idle() -> None:
    assert [parallel_batches(threads) for threads in (1, 2, 3, 4, 5, 6, 7, 8, 9, 16)] == [1, 2, 3, 4, 4, 3, 3, 4, 3, 4]
