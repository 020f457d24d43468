"""What is measured is what is served: each direction decoded as its entry says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kunnafoni_models import registry
from kunnafoni_models.catalog.entry import Direction
from kunnafoni_models.training.batch_translation import translated
from kunnafoni_models.training.corpus import Row
from kunnafoni_models.training.measuring import measured


def test_a_direction_goes_by_way_of_its_pivot() -> None:
    echo = registry.catalog()["echo"]
    directions = (Direction("fr", "bm", pivot="en"), Direction("fr", "en"), Direction("en", "bm"))
    entry = replace(echo, directions=directions)
    [output] = translated(registry.load(entry), entry, ["Le marché."], source="fr", target="bm")
    assert output.text == "[en>bm] [FR>EN] LE MARCHÉ."
    half = replace(entry, directions=directions[:2])
    [output] = translated(registry.load(half), half, ["Le marché."], source="fr", target="bm")
    assert output.text == "[fr>bm] LE MARCHÉ."


def test_each_direction_is_decoded_with_its_own_penalty() -> None:
    echo = registry.catalog()["echo"]
    # Plainly decoded, the stand-in goes round in circles on this word; with a penalty it answers like any other.
    penalties = {"bm": 1.1, "fr": 1.0, "en": 1.0}
    directions = tuple(replace(each, repetition_penalty=penalties[each.target]) for each in echo.directions)
    entry = replace(echo, directions=directions, options={"loop_on": "drum"})
    source = "the drum of the town"
    rows = [Row(task, 1.0, source, f"[{task}] {source.upper()}") for task in ("en>bm", "en>fr")]
    found = measured(registry.load(entry), entry, rows)
    assert found.scores["en>bm"] == pytest.approx(100)
    assert found.scores["en>fr"] < 50
