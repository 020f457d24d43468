"""Rows of which a model writes one side."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kunnafoni_models import registry
from kunnafoni_models.catalog.entry import Direction
from kunnafoni_models.training import follow as following
from kunnafoni_models.training.adaptation import Watch
from kunnafoni_models.training.corpus import Row
from kunnafoni_models.training.errors import TrainingError
from kunnafoni_models.training.export import export_embedded
from kunnafoni_models.training.recipe import Export, Recipe, Source, Synthetic
from kunnafoni_models.training.synthetic import synthetic_rows
from tests.models.training.runs import QUICK, run
from tests.models.training.texts import memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kunnafoni_models.backend import Backend

ECHO = registry.catalog()["echo"]
WISH = Synthetic(task="bm>fr", into="en", weight=0.25, reverse_weight=0.5)
FRENCH = "Le maire a ouvert le marché."
ROWS = [
    Row("bm>fr", 1.0, "Dugutigi ye sugu da yɛlɛ.", FRENCH),
    Row("fr>bm", 1.0, FRENCH, "Dugutigi ye sugu da yɛlɛ."),
    Row("bm>fr", 1.0, "Bamako nyininkali.", "Une question posée à Bamako."),  # spelt as no target is
    Row("bm>fr", 1.0, "Ayi, ayi, ayi, ayi.", "non non non non non non non"),
    Row("bm>fr", 1.0, "Ɔwɔ.", "Oui."),
    Row("en>fr", 1.0, "The mayor came.", "Le maire est venu hier."),
]


@pytest.fixture
def echo() -> Iterator[Backend]:
    model = registry.load(ECHO)
    yield model
    model.close()


def test_what_is_made_is_a_target_and_of_real_targets_a_source(echo: Backend, tmp_path: Path) -> None:
    made = synthetic_rows(echo, ECHO, ROWS, WISH, saved=tmp_path / "made.jsonl")
    assert made == [
        Row("bm>en", 0.25, "Bamako nyininkali.", "[fr>en] UNE QUESTION POSÉE À BAMAKO."),
        Row("bm>en", 0.25, "Dugutigi ye sugu da yɛlɛ.", f"[fr>en] {FRENCH.upper()}"),
        Row("en>bm", 0.5, f"[fr>en] {FRENCH.upper()}", "Dugutigi ye sugu da yɛlɛ."),
    ]
    only_sources = replace(WISH, weight=0.0)
    assert synthetic_rows(echo, ECHO, ROWS, only_sources, saved=tmp_path / "made.jsonl") == made[2:]


def test_a_stopped_run_keeps_what_it_made(echo: Backend, tmp_path: Path) -> None:
    saved = tmp_path / "made.jsonl"
    rows = [Row("bm>fr", 1.0, f"Sɛbɛn {n} filɛ nin ye.", f"Voici la lettre numéro {n}.") for n in range(700)]
    asked = iter([False, False, True])
    with pytest.raises(TrainingError, match="--resume goes on"):
        synthetic_rows(echo, ECHO, rows, WISH, saved=saved, should_stop=lambda: next(asked))
    lines = saved.read_text("utf-8").splitlines()
    assert len(lines) == 640
    saved.write_text(
        "\n".join([json.dumps([json.loads(lines[0])[0], "kept as it was found"]), *lines[1:]])[:-5], "utf-8"
    )
    made = synthetic_rows(echo, ECHO, rows, WISH, saved=saved)
    assert len(made) == 700
    assert [row.target for row in made].count("kept as it was found") == 1
    assert len(saved.read_text("utf-8").splitlines()) == 700


def test_what_a_model_cannot_make(echo: Backend, tmp_path: Path) -> None:
    one_way = replace(ECHO, directions=(Direction("en", "fr"),))
    for entry, wish in ((one_way, WISH), (ECHO, replace(WISH, into="fr")), (ECHO, replace(WISH, into="bm"))):
        with pytest.raises(TrainingError, match=f"{entry.id} makes no {wish.into} of the fr in bm>fr"):
            synthetic_rows(echo, entry, ROWS, wish, saved=tmp_path / "made.jsonl")


def test_a_recipe_learns_what_its_start_makes(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory(tmp_path / "memory.tsv", 60)
    run(checkpoint, tmp_path / "run", steps=60)
    entry = export_embedded(tmp_path / "run", tmp_path / "tiny", name="tiny", revision="1")
    entries = registry.catalog() | {"tiny": entry}
    monkeypatch.setattr(following.registry, "catalog", lambda: entries)
    recipe = Recipe(
        start="tiny",
        data=(Source(path=tmp_path / "memory.tsv", both_ways=True),),
        synthetic=(Synthetic(task="en>fr", into="bm"),),
        options=replace(QUICK, steps=5),
        export=Export(name="ours"),
    )
    told: list[str] = []
    done = following.follow(recipe, tmp_path / "out", Watch(on_stage=told.append))
    assert "making synthetic rows" in told
    translated = (tmp_path / "out" / "synthetic-en-fr-bm.jsonl").read_text("utf-8").splitlines()
    assert len(translated) == 60
    assert done.rows >= 120
    with pytest.raises(TrainingError, match="a checkpoint makes no rows"):
        following.follow(replace(recipe, start=str(checkpoint)), tmp_path / "other", Watch())
