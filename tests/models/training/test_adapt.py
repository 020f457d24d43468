"""Adaptation from a memory to a model that a server serves, on a checkpoint that seconds teach something."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kunnafoni.v1 import translation_pb2
from kunnafoni_models import registry
from kunnafoni_models.backend import CatalogError
from kunnafoni_models.catalog.entry import Direction
from kunnafoni_models.catalog.model_files import file_problems
from kunnafoni_models.importing.checkpoint_import import ImportRequest, import_checkpoint
from kunnafoni_models.training.adapt import adapt, in_best_ways, run_folder
from kunnafoni_models.training.adaptation import Adaptation, Watch
from kunnafoni_models.training.corpus import Row
from kunnafoni_models.training.errors import TrainingError
from kunnafoni_models.training.log import Log
from kunnafoni_models.training.measuring import Measurement
from kunnafoni_models.training.memory import MINIMUM_PAIRS, read_memory
from kunnafoni_models.training.options import TrainingOptions
from kunnafoni_models.training.verdict import Comparison, objections
from tests.conftest import serve
from tests.models.tiny_checkpoints import SHAPES, tiny
from tests.models.training.texts import memory, pairs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kunnafoni_models.backend import Backend
    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.progress import Progress

QUICK = TrainingOptions(
    steps=40,
    learning_rate=1e-2,
    batch_tokens=1024,
    max_tokens=256,
    warmup_steps=5,
    save_every_s=0,
    threads=1,
    compile=False,
)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> CatalogEntry:
    folder = tmp_path_factory.mktemp("parent")
    (checkpoint := tiny("gemma3", folder / "checkpoint")).joinpath("LICENSE").write_text("The terms.")
    return import_checkpoint(ImportRequest(checkpoint, folder / "models", "tiny", hints=SHAPES["gemma3"].hints))


def order(parent: CatalogEntry, folder: Path, **changes: Any) -> Adaptation:
    given: dict[str, Any] = {
        "memories": [folder / "memory.tsv"],
        "parent": parent,
        "models_dir": folder / "models",
        "model_id": "ours",
        "minutes": 5.0,
        "replay_rows": 5,
        "options": QUICK,
        **changes,
    }
    if not given["memories"][0].exists():
        memory(given["memories"][0])
    return Adaptation(**given)


async def test_a_model_that_got_better_is_installed_and_served(tmp_path: Path, parent: CatalogEntry) -> None:
    general = tmp_path / "general.tsv"
    rows = ["en\tfr\tbm", "The council met.\tLe conseil s'est réuni.\tDugutigi ye jama lajɛ."]
    rows += ["The council met. " * 2000 + "\tLe conseil.\tJama."]
    general.write_text("\n".join(rows) + "\n", "utf-8")
    stages: list[str] = []
    done = adapt(order(parent, tmp_path, general=general, force=True), Watch(on_stage=stages.append))
    entry = registry.catalog([tmp_path / "models"])["ours"]
    assert file_problems(entry) == []
    assert (entry.parent, entry.data_sha256) == (f"tiny@{parent.revision}", done.memory.fingerprint)
    assert entry.licence == parent.licence
    assert (entry.folder / "LICENSE").read_text() == "The terms."
    assert json.loads((entry.folder / "quality.json").read_text())["set"].startswith("general.tsv")
    learnt = done.comparisons[0]
    assert learnt.before
    assert learnt.after.mean > learnt.before.mean + 3
    assert {each.test_set.split(",")[0] for each in entry.quality} == {"held-out tenth of the memory", "general.tsv"}
    assert "training" in stages
    assert "leaving out 4 rows of general.tsv: too long" in stages
    assert done.replayed > 0
    assert Log(done.folder / "training.jsonl").events("progress")[-1]["dev"]
    assert [path.name for path in (tmp_path / "models").iterdir() if path.name.startswith(".")] == []
    async with serve(entry) as served:
        request = translation_pb2.TranslateRequest(
            contents=[pairs(1)[0][0]], source_language_code="en", target_language_code="fr"
        )
        answer = (await served.translation.Translate(request)).translations[0]
    assert answer.text
    assert answer.route[0].model_id == "ours"


def test_a_model_that_got_worse_is_refused(tmp_path: Path, parent: CatalogEntry) -> None:
    ruin = replace(QUICK, steps=4, learning_rate=1.0)
    done = adapt(order(parent, tmp_path, options=ruin), Watch())
    assert done.entry is None
    assert "the mean fell" in done.objections[0]
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".adapting-ours"]
    assert sorted(path.name for path in done.folder.iterdir()) == ["order", "replay.json", "training", "training.jsonl"]
    assert Log(done.folder / "training.jsonl").events("compared")[0]["objections"] == list(done.objections)
    # Whoever wants it all the same need not wait for the training again.
    steps: list[int] = []
    forced = adapt(order(parent, tmp_path, options=ruin, force=True), Watch(on_progress=lambda p: steps.append(p.step)))
    assert (steps, forced.objections) == ([4], done.objections)
    assert forced.entry
    assert registry.catalog([tmp_path / "models"])["ours"].files == forced.entry.files


def test_a_stopped_adaptation_goes_on_where_it_was(tmp_path: Path, parent: CatalogEntry) -> None:
    few = replace(QUICK, steps=12)
    steps: list[int] = []

    def seen(progress: Progress) -> None:
        steps.append(progress.step)

    with pytest.raises(TrainingError, match="the same command goes on from what is kept in"):
        adapt(order(parent, tmp_path, options=few), Watch(on_progress=seen, should_stop=lambda: 5 in steps))
    assert run_folder(tmp_path / "models", "ours").is_dir()
    assert registry.catalog([tmp_path / "models"]).keys() == registry.catalog().keys()
    steps.clear()
    done = adapt(order(parent, tmp_path, options=few, force=True), Watch(on_progress=seen))
    assert (min(steps), max(steps), done.outcome.steps) == (5, 12, 12)
    assert done.entry


def test_another_order_under_the_same_name_says_that_it_begins_anew(tmp_path: Path, parent: CatalogEntry) -> None:
    stages: list[str] = []
    for minutes in (5.0, 4.0):
        stages.clear()
        with pytest.raises(TrainingError, match="stopped"):
            adapt(order(parent, tmp_path, minutes=minutes), Watch(on_stage=stages.append, should_stop=lambda: True))
    assert stages[0].startswith("beginning anew")


@pytest.mark.parametrize(("in_one_step", "by_way", "pivot"), [(30.0, 25.0, None), (25.0, 30.0, "en")])
def test_what_was_taught_keeps_its_pivot_while_that_is_better(
    monkeypatch: pytest.MonkeyPatch, in_one_step: float, by_way: float, pivot: str | None
) -> None:
    directions = (Direction("fr", "bm", pivot="en"), Direction("bm", "fr", pivot="en"), Direction("fr", "en"))
    entry = replace(registry.catalog()["echo"], directions=directions)

    def figures(_backend: Backend, measured: CatalogEntry, rows: Sequence[Row]) -> Measurement:
        assert {row.task for row in rows} == {"fr>bm"}
        found = measured.direction("fr", "bm")
        assert found
        return Measurement({"fr>bm": by_way if found.pivot else in_one_step}, {}, "", "")

    monkeypatch.setattr("kunnafoni_models.training.adapt.measured", figures)
    found = in_best_ways(
        entry, [Row("fr>bm", 1.0, "Le marché.", "Sugu."), Row("fr>en", 1.0, "Le marché.", "The market.")]
    )
    assert [each.pivot for each in found.directions] == [pivot, "en", None]


def test_two_adaptations_under_one_name_do_not_meet(tmp_path: Path, parent: CatalogEntry) -> None:
    refused: list[str] = []

    def again(progress: Progress) -> None:
        if progress.step == 3:
            with pytest.raises(TrainingError, match="a training is at work there") as caught:
                adapt(order(parent, tmp_path, minutes=6.0), Watch())  # another order: it would clear the folder
            refused.append(str(caught.value))

    done = adapt(order(parent, tmp_path, options=replace(QUICK, steps=6), force=True), Watch(on_progress=again))
    assert (done.outcome.steps, len(refused)) == (6, 1)
    assert done.entry


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("en\tfr\n", "is empty"),
        ("en\tfr\n" + "".join(f"{a}\t{b}\n" for a, b in pairs(10)), f"10 of 10 pairs .* at least {MINIMUM_PAIRS}"),
        ("en\tfr\n" + "".join(f"{a}\t\n" for a, _ in pairs(300)), "none of its 300 units has both|one side only"),
        ("en\tfr\n" + f"{pairs(1)[0][0]}\t{pairs(1)[0][1]}\n" * 300, "1 of 300 pairs .*299 twice in the data"),
    ],
)
def test_a_memory_that_is_of_no_use(tmp_path: Path, parent: CatalogEntry, text: str, says: str) -> None:
    (tmp_path / "memory.tsv").write_text(text, "utf-8")
    with pytest.raises(TrainingError, match=says):
        adapt(order(parent, tmp_path), Watch())
    assert not (tmp_path / "models").exists()


def test_a_memory_that_is_the_evaluation_set(tmp_path: Path, parent: CatalogEntry) -> None:
    with pytest.raises(TrainingError, match="240 of the memory's 240 pairs are in the evaluation file"):
        adapt(order(parent, tmp_path, general=memory(tmp_path / "general.tsv")), Watch())
    assert not (tmp_path / "models").exists()


def test_names_directions_and_test_sets_are_checked_first(tmp_path: Path, parent: CatalogEntry) -> None:
    with pytest.raises(CatalogError, match="exists: take another name"):
        adapt(order(parent, tmp_path, models_dir=parent.folder.parent, model_id="tiny"), Watch())
    general = tmp_path / "general.tsv"
    general.write_text("en\tde\nThe river\tDer Fluss\n", "utf-8")
    with pytest.raises(TrainingError, match="no two of the model's languages"):
        adapt(order(parent, tmp_path, general=general, pair=("en", "fr")), Watch())
    only = replace(parent, directions=tuple(each for each in parent.directions if each.source == "bm"))
    with pytest.raises(TrainingError, match="does not translate en>fr"):
        adapt(order(only, tmp_path), Watch())
    with pytest.raises(TrainingError, match="is no decoder in CTranslate2's format"):
        adapt(order(replace(parent, backend="transformers"), tmp_path), Watch())
    assert not (tmp_path / "models").exists()


def test_what_is_held_out_stays_held_out(tmp_path: Path) -> None:
    small = read_memory([memory(tmp_path / "a.tsv", 300)], languages=["en", "fr"])
    large = read_memory([memory(tmp_path / "b.tsv", 600)], languages=["en", "fr"])
    assert set(small.held_out) <= set(large.held_out)
    assert 0.05 < len(large.held_out) / 600 < 0.15
    assert not {row.source for row in large.learn} & {row.source for row in large.held_out}
    assert small.fingerprint != large.fingerprint
    lines = (tmp_path / "a.tsv").read_text("utf-8").splitlines()
    (tmp_path / "c.tsv").write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n", "utf-8")
    assert read_memory([tmp_path / "c.tsv"], languages=["en", "fr"]).fingerprint == small.fingerprint


def test_old_bambara_spelling_is_found_on_either_side(tmp_path: Path) -> None:
    texts = [f"An bè taa sugu la don {number} tile la" for number in range(300)]
    for header, rows in (
        ("fr\tbm", [f"Nous allons au marché le jour {n}\t{text}" for n, text in enumerate(texts)]),
        ("bm\tfr", [f"{text}\tNous allons au marché le jour {n}" for n, text in enumerate(texts)]),
    ):
        path = tmp_path / "memory.tsv"
        path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
        with pytest.raises(TrainingError, match="300 Bambara in another than the standard spelling"):
            read_memory([path], languages=("en", "fr", "bm"))
    assert read_memory([path], languages=("en", "fr", "bm"), both_ways=False).pair == ("bm", "fr")


def test_memories_of_both_directions_join_and_others_do_not(tmp_path: Path) -> None:
    one = memory(tmp_path / "one.tsv", 200)
    other = tmp_path / "other.tsv"
    other.write_text("fr\ten\n" + "".join(f"{b}\t{a}\n" for a, b in pairs(260)[200:]), "utf-8")
    found = read_memory([one, other], languages=["en", "fr", "bm"])
    assert len(found.learn) + len(found.held_out) == 260
    assert {row.task for row in found.learn} == {"en>fr"}
    other.write_text("en>bm\t1\tThe river\tBa\n", "utf-8")
    with pytest.raises(TrainingError, match=r"other\.tsv has en>bm where en>fr is to be learnt"):
        read_memory([one, other], languages=["en", "fr", "bm"])
    other.write_text("en\tbm\nThe river\tBa\n", "utf-8")
    with pytest.raises(TrainingError, match="none of its 1 units has both en and fr"):
        read_memory([one, other], languages=["en", "fr", "bm"])


def test_what_counts_as_worse() -> None:
    def compared(before: dict[str, float], after: dict[str, float], may_lose: float) -> list[str]:
        old, new = Measurement(before, {}, "", ""), Measurement(after, {}, "", "")
        return objections([Comparison("set", 10, old, new, may_lose)])

    assert compared({"a": 10.0, "b": 20.0}, {"a": 9.5, "b": 20.5}, 0.0) == []
    assert len(compared({"a": 10.0, "b": 20.0}, {"a": 9.5, "b": 20.1}, 0.0)) == 1
    assert compared({"a": 10.0, "b": 20.0}, {"a": 9.5, "b": 19.6}, 0.5) == []
    assert compared({"a": 10.0, "b": 20.0}, {"a": 8.9, "b": 25.0}, 0.5) == ["set: a fell from 10.0 to 8.9 chrF++"]
