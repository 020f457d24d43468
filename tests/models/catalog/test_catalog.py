from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from kunnafoni_models import registry
from kunnafoni_models.backend import CatalogError, ModelLoadError
from kunnafoni_models.catalog.entry import (
    CatalogEntry,
    Direction,
    Figures,
    Licence,
    Limits,
    ModelFile,
    Prompts,
    Quality,
)
from kunnafoni_models.catalog.entry_reader import read_entry
from kunnafoni_models.catalog.entry_writer import write_entry, write_figures

if TYPE_CHECKING:
    from pathlib import Path

ALL_PAIRS = {("en", "fr"), ("en", "bm"), ("fr", "en"), ("fr", "bm"), ("bm", "en"), ("bm", "fr")}
MINIMAL = """
id = "tiny"
revision = "1"
backend = "echo"
[languages]
en = "English"
fr = "French"
[directions]
"en>fr" = { output_ratio = 1.5 }
[limits]
translate_input_tokens = 10
[licence]
name = "MIT"
non_commercial = false
summary = "Free."
"""


def write(folder: Path, text: str, name: str = "tiny.toml") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize("model_id", ["kunnafoni-270m", "echo"])
def test_built_in_models_serve_every_direction(model_id: str) -> None:
    entry = registry.catalog()[model_id]
    assert {(each.source, each.target) for each in entry.directions} == ALL_PAIRS
    assert entry.summary_languages == ("en", "fr")
    assert not entry.licence.non_commercial


def test_the_embedded_entry_says_what_the_build_says_of_itself(embedded_entry: CatalogEntry) -> None:
    build = json.loads((embedded_entry.folder / "model.json").read_text("utf-8"))
    assert embedded_entry.id == build["name"]
    assert embedded_entry.revision == build["revision"]
    assert embedded_entry.parameters == build["parameters"]
    assert embedded_entry.languages == build["languages"]
    assert embedded_entry.options["compute_type"] == build["compute_type"]
    assert embedded_entry.prompts == Prompts(
        begin_tokens=(build["begin_token"],), end_token=build["end_token"], **build["prompts"]
    )
    for name in ("translate_input_tokens", "summarize_input_tokens"):
        assert getattr(embedded_entry.limits, name) == build["limits"][name]
    listed = {file.name: {"sha256": file.sha256, "bytes": file.bytes} for file in embedded_entry.files}
    assert listed == build["files"]
    assert [file.name for file in embedded_entry.files if file.part_of == "model.bin"] == build["parts"]
    assert (embedded_entry.folder / "MODEL_CARD.md").is_file()


def test_every_embedded_file_fits_a_code_host_and_the_licence_is_there(embedded_entry: CatalogEntry) -> None:
    assert all(file.bytes < 50_000_000 for file in embedded_entry.files)
    assert embedded_entry.licence.file is not None
    assert (embedded_entry.folder / embedded_entry.licence.file).is_file()


def test_every_embedded_direction_has_a_reproducible_score(embedded_entry: CatalogEntry) -> None:
    scored = {(each.source, each.target) for each in embedded_entry.quality if each.metric == "chrF++"}
    assert scored == ALL_PAIRS
    assert all(each.signature and each.test_set and each.decoding for each in embedded_entry.quality)


@pytest.mark.parametrize("entry", [each for each in registry.catalog().values() if not each.files], ids=lambda x: x.id)
def test_what_others_measured_has_its_source_and_terms(entry: CatalogEntry) -> None:
    assert entry.licence.name
    assert entry.licence.summary
    if entry.base:
        assert entry.parameters > 1_000_000
        assert all(each.measured_by != "kunnafoni" and each.test_set for each in entry.quality)


def test_output_caps_grow_with_the_text() -> None:
    direction = Direction("en", "fr", output_ratio=1.5, output_extra=10)
    assert [direction.output_cap(tokens) for tokens in (0, 1, 10, 100)] == [11, 12, 25, 160]


def test_users_folders_add_entries_and_replace_those_of_the_same_id(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine", MINIMAL)
    write(mine, MINIMAL.replace('"tiny"', '"echo"'), "echo.toml")
    entries = registry.catalog([mine])
    assert list(entries) == sorted(entries)
    assert entries["tiny"].directions == (Direction("en", "fr", output_ratio=1.5),)
    assert entries["tiny"].folder == mine.resolve()
    assert entries["echo"].licence.name == "MIT"


def test_quality_goes_by_pair(tmp_path: Path) -> None:
    scores = """
    summary_languages = ["fr"]
    """
    quality = """
    [[quality]]
    metric = "chrF++"
    test_set = "mine"
    decoding = "greedy"
    date = 2026-11-23
    [quality.scores]
    "en>fr" = 40
    "fr>fr" = 20.5
    """
    entry = registry.catalog([write(tmp_path, scores + MINIMAL + quality)])["tiny"]
    assert [(each.source, each.target, each.score) for each in entry.quality] == [("en", "fr", 40), ("fr", "fr", 20.5)]
    assert {each.measured_by for each in entry.quality} == {"kunnafoni"}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("id = ", "id ", "line 2"),
        ('id = "tiny"', 'id = "../tiny"', "id: "),
        ('revision = "1"', "", "revision: "),
        ('revision = "1"', 'revision = "1"\ncolour = "red"', "colour: "),
        ("translate_input_tokens = 10", "translate_input_tokens = 0", "limits.translate_input_tokens: "),
        ("translate_input_tokens = 10", 'translate_input_tokens = "many"', "limits.translate_input_tokens: "),
        ('"en>fr"', '"en-fr"', "no pair of languages"),
        ('"en>fr"', '"en>bm"', "languages has no bm"),
        ('[directions]\n"en>fr" = { output_ratio = 1.5 }', "directions = 3", "directions"),
        ('[directions]\n"en>fr" = { output_ratio = 1.5 }', "", "directions"),
        ("output_ratio", "ratio", "ratio"),
        ("{ output_ratio = 1.5 }", "2.0", "'en>fr' is 2.0, which is no table"),
        ("output_ratio = 1.5", 'pivot = "en"', "en>fr has en as pivot, which is no third language"),
        ("[licence]", '[prompts]\ntranslate = "{words}"\n[licence]', "'{words}'"),
        ("[licence]", '[prompts]\ntranslate = "{text"\n[licence]', "'{text'"),
        (
            "[licence]",
            '[[files]]\nname = "../x"\nbytes = 1\nsha256 = "' + "0" * 64 + '"\n[licence]',
            "files.0.name: ",
        ),
        ("[licence]", '[[files]]\nname = "x"\nbytes = 1\nsha256 = "123"\n[licence]', "files.0.sha256: "),
        ("[licence]", "[quality]\nscores = 3\n[licence]", "quality"),
    ],
)
def test_a_malformed_entry_is_named_with_its_field(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in MINIMAL
    folder = write(tmp_path, MINIMAL.replace(old, new))
    with pytest.raises(CatalogError) as caught:
        registry.catalog([folder])
    assert str(folder / "tiny.toml") in str(caught.value)
    assert told in str(caught.value)


def test_an_entry_is_read_as_it_was_written(tmp_path: Path) -> None:
    entry = registry.catalog()["echo"]
    odd = replace(entry.directions[0], output_ratio=1.25, repetition_penalty=1.1, pivot="bm")
    entry = replace(entry, folder=tmp_path, directions=(odd, *entry.directions[1:]))
    write_entry(tmp_path / "echo.toml", entry)
    assert read_entry(tmp_path / "echo.toml") == entry


def test_one_folder_gives_an_id_once(tmp_path: Path) -> None:
    folder = write(write(tmp_path, MINIMAL), MINIMAL, "again.toml")
    with pytest.raises(CatalogError, match="tiny"):
        registry.catalog([folder])


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="nowhere"):
        registry.catalog([tmp_path / "nowhere"])


def test_entries_built_in_code_are_checked_too() -> None:
    licence, limits = Licence("MIT", non_commercial=False, summary="Free."), Limits(translate_input_tokens=10)
    entry = CatalogEntry(
        id="half",
        revision="1",
        backend="echo",
        licence=licence,
        limits=limits,
        languages={"en": "English", "fr": "French"},
        directions=(Direction("en", "fr"),),
    )
    assert entry.direction("en", "fr") == Direction("en", "fr")
    assert entry.direction("fr", "en") is None
    assert registry.load(entry).count_tokens("good morning") == 2
    with pytest.raises(CatalogError, match="bm"):
        replace(entry, directions=(Direction("en", "bm"),))
    with pytest.raises(CatalogError, match="twice"):
        replace(entry, directions=(Direction("en", "fr"), Direction("en", "fr")))
    with pytest.raises(CatalogError, match="twice"):
        replace(entry, files=(ModelFile("a", 1, "0" * 64), ModelFile("a", 1, "0" * 64)))
    score = Quality("fr", "en", "chrF++", 40.0, "mine", "greedy", date=date(2026, 11, 23))
    with pytest.raises(CatalogError, match="not served"):
        replace(entry, quality=(score,))


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(ModelLoadError, match="abacus"):
        registry.load(replace(registry.catalog()["echo"], backend="abacus"))


def test_figures_count_for_the_build_that_they_were_measured_on(tmp_path: Path) -> None:
    published = Quality("en", "fr", "chrF++", 40.0, "theirs", "float32, beam 5", date(2020, 1, 1), measured_by="them")
    bleu = replace(published, metric="BLEU", score=20.0)
    entry = replace(registry.catalog([write(tmp_path, MINIMAL)])["tiny"], quality=(published, bleu))
    write_entry(tmp_path / "tiny.toml", entry)
    ours = Quality("en", "fr", "chrF++", 41.5, "ours", "int8, beam 1", date(2026, 11, 26), signature="nc:6")
    write_figures(tmp_path / "tiny.figures.toml", Figures("tiny", entry.fingerprint, 700, (ours,)))
    found = registry.catalog([tmp_path])["tiny"]
    assert set(found.quality) == {ours, bleu}
    assert found.memory_mb == 700
    write_entry(tmp_path / "tiny.toml", replace(entry, revision="2"))
    after = registry.catalog([tmp_path])["tiny"]
    assert set(after.quality) == {published, bleu}
    assert after.memory_mb == 0


def test_malformed_figures_are_named(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL)
    (tmp_path / "tiny.figures.toml").write_text('id = "tiny"\nfingerprint = "0"\nscore = 3\n', "utf-8")
    with pytest.raises(CatalogError, match=r"tiny\.figures\.toml: score"):
        registry.catalog([tmp_path])
