"""What a model is to go on answering while it is taught something else."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from kunnafoni_models import registry
from kunnafoni_models.training.corpus import Row
from kunnafoni_models.training.memory import Memory
from kunnafoni_models.training.replay import replayed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni_models.backend import Backend

ECHO = registry.catalog()["echo"]
LEARN = [Row("en>fr", 1.0, f"Market day {n}.", f"Jour de marché {n}.") for n in range(20)]
MEMORY = Memory(("en", "fr"), LEARN, [], {}, "")


@pytest.fixture
def echo() -> Iterator[Backend]:
    model = registry.load(ECHO)
    yield model
    model.close()


def test_three_times_as_much_of_what_reads_the_same_language(echo: Backend) -> None:
    rows = replayed(echo, ECHO, MEMORY, taught={"en>fr"}, count=4)
    assert Counter(row.task for row in rows) == {"en>bm": 12, "fr>en": 4, "fr>bm": 4, "bm>en": 4, "bm>fr": 4}
    both_ways = replayed(echo, ECHO, MEMORY, taught={"en>fr", "fr>en"}, count=4)
    assert Counter(row.task for row in both_ways) == {"en>bm": 12, "fr>bm": 12, "bm>en": 4, "bm>fr": 4}


def test_what_comes_out_of_a_new_language_was_first_translated_into_it(echo: Backend) -> None:
    rows = replayed(echo, ECHO, MEMORY, taught={"en>fr"}, count=4)
    into = {row.target for row in rows if row.task == "en>bm"}
    assert {row.source for row in rows if row.task in {"bm>en", "bm>fr"}} <= into
    assert {row.source for row in rows if row.task == "en>bm"} <= {row.source for row in LEARN}
    assert {row.source for row in rows if row.task == "fr>bm"} <= {row.target for row in LEARN}


def test_a_small_memory_gives_what_it_has(echo: Backend) -> None:
    rows = replayed(echo, ECHO, MEMORY, taught={"en>fr"}, count=15)
    assert Counter(row.task for row in rows)["en>bm"] == len(LEARN)
