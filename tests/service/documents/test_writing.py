"""Results to files: every format, whole or not at all, with the errors beside."""

from __future__ import annotations

import csv
import json
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

import hypothesis
import hypothesis.strategies as st
import pytest

from kunnafoni.cli.job_messages import output_record
from kunnafoni.documents.tmx import NOT_XML
from kunnafoni.documents.writing import OutputFormat, errors_path, write_results
from kunnafoni.errors import InvalidInputError
from kunnafoni.status import to_status
from kunnafoni.v1 import job_pb2, result_pb2, summarization_pb2
from kunnafoni_models.training.memory_tmx import units

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


def write(
    results: Iterable[job_pb2.JobResult], path: Path, output_format: OutputFormat, targets: Sequence[str]
) -> tuple[int, int]:
    """Write results as the command line does."""
    full = output_format is OutputFormat.FULL
    options = job_pb2.JobOptions(target_language_codes=targets)
    return write_results((output_record(each, options, full=full) for each in results), path, output_format, targets)


def result(index: int, text: str, *made: str) -> job_pb2.JobResult:
    answer = job_pb2.JobResult(index=index, id=f"id-{index}", item=job_pb2.JobItem(text=text))
    for each in made:
        translation = answer.translations.add(text=each, source_language_code="en")
        segment = translation.segments.add(finish_reason=result_pb2.FINISH_REASON_STOP)
        segment.source_span.end, segment.target_span.end = len(text), len(each)
        segment.warnings.add(type=result_pb2.WARNING_TYPE_NUMBER_MISMATCH)
    return answer


def failed(index: int) -> job_pb2.JobResult:
    answer = job_pb2.JobResult(index=index, id=f"id-{index}", item=job_pb2.JobItem(text="?"))
    answer.error.CopyFrom(to_status(InvalidInputError("text", "is odd")))
    return answer


RESULTS = [
    result(0, "Hello & <bye>\x01", "Bonjour & <adieu>", "I ni ce"),
    failed(1),
    result(2, "Two\nlines", "Deux\nlignes", "Fila"),
]


def test_json_lines_and_errors(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert write(RESULTS, path, OutputFormat.JSONL, ("fr", "bm")) == (2, 1)
    first, second = map(json.loads, path.read_text().splitlines())
    assert first == {
        "id": "id-0",
        "fr": "Bonjour & <adieu>",
        "fr_warnings": ["NUMBER_MISMATCH"],
        "bm": "I ni ce",
        "bm_warnings": ["NUMBER_MISMATCH"],
    }
    assert second["fr"] == "Deux\nlignes"
    [error] = map(json.loads, errors_path(path).read_text().splitlines())
    assert error == {
        "id": "id-1",
        "index": 1,
        "code": "INVALID_ARGUMENT",
        "reason": "INVALID_INPUT",
        "message": "The request is not valid: text: is odd",
    }
    assert write([RESULTS[0]], path, OutputFormat.FULL, ("fr", "bm")) == (1, 0)
    assert json.loads(path.read_text())["translations"][0]["sourceLanguageCode"] == "en"
    assert not errors_path(path).exists()


def test_tables(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write(RESULTS, path, OutputFormat.CSV, ("fr", "bm"))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "source", "text_fr", "warnings_fr", "text_bm", "warnings_bm"]
    assert rows[1]["text_fr"] == "Deux\nlignes"


XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def units_of(path: Path) -> list[Any]:
    library: Any = import_module("lxml.etree")
    [body] = library.parse(path).getroot().iterchildren("body")
    return list(body)


def texts_of(unit: Any) -> dict[str, str]:
    return {variant.get(XML_LANGUAGE): variant.findtext("seg") for variant in unit.iterchildren("tuv")}


def test_a_translation_memory_has_a_unit_for_each_sentence_and_language(tmp_path: Path) -> None:
    path = tmp_path / "out.tmx"
    write(RESULTS, path, OutputFormat.TMX, ("fr", "bm"))
    assert [texts_of(unit) for unit in units_of(path)] == [
        {"en": "Hello & <bye>", "fr": "Bonjour & <adieu>"},
        {"en": "Hello & <bye>", "bm": "I ni ce"},
        {"en": "Two\nlines", "fr": "Deux\nlignes"},
        {"en": "Two\nlines", "bm": "Fila"},
    ]
    assert [unit.get("srclang") for unit in units_of(path)] == ["en"] * 4


ANY_TEXT = st.text(st.characters(codec="utf-8"))


@hypothesis.given(text=ANY_TEXT, made=ANY_TEXT)
def test_whatever_xml_can_hold_comes_back_out_of_a_memory(
    tmp_path_factory: pytest.TempPathFactory, text: str, made: str
) -> None:
    path = tmp_path_factory.mktemp("memory") / "out.tmx"
    write([result(0, text, made)], path, OutputFormat.TMX, ("fr",))
    [unit] = units_of(path)
    assert texts_of(unit) == {"en": NOT_XML.sub("", text), "fr": NOT_XML.sub("", made)}


def test_a_memory_says_which_sentences_have_warnings_and_is_learnt_from_all_the_same(tmp_path: Path) -> None:
    plain = result(1, "Good", "Bon")
    del plain.translations[0].segments[0].warnings[:]
    path = tmp_path / "out.tmx"
    write([RESULTS[2], plain], path, OutputFormat.TMX, ("fr", "bm"))
    tags = [[each.tag for each in unit] for unit in units_of(path)]
    assert tags == [["note", "prop", "tuv", "tuv"]] * 2 + [["note", "tuv", "tuv"]]
    found = [[(each.get("type"), each.text) for each in unit.iter("prop")] for unit in units_of(path)]
    assert found == [[("x-kunnafoni-warning", "NUMBER_MISMATCH")]] * 2 + [[]]
    with path.open("rb") as file:
        learnt = list(units(file, path, {"en", "fr", "bm"}))
    assert learnt[0] == {"en": "Two lines", "fr": "Deux lignes"}
    assert learnt[2] == {"en": "Good", "fr": "Bon"}


def test_text_by_language_stays_parallel(tmp_path: Path) -> None:
    write(RESULTS[:2], tmp_path / "out.txt", OutputFormat.TEXT, ("fr", "bm"))
    assert (tmp_path / "out.fr.txt").read_text() == "Bonjour & <adieu>\n\n"
    assert (tmp_path / "out.bm.txt").read_text() == "I ni ce\n\n"


def with_own_language(index: int, language: str) -> job_pb2.JobResult:
    answer = result(index, "Hello", "Hello there")
    answer.item.options.target_language_codes.append(language)
    return answer


def test_a_language_of_an_item_of_its_own_stays_parallel_in_text(tmp_path: Path) -> None:
    results = [RESULTS[0], with_own_language(1, "en"), RESULTS[0]]
    write(results, tmp_path / "out.txt", OutputFormat.TEXT, ("fr", "bm"))
    assert (tmp_path / "out.en.txt").read_text() == "\nHello there\n\n"
    assert (tmp_path / "out.fr.txt").read_text() == "Bonjour & <adieu>\n\nBonjour & <adieu>\n"


def test_a_table_without_columns_for_an_items_own_language_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="id-1: has a language of its own, en"):
        write([RESULTS[0], with_own_language(1, "en")], tmp_path / "out.csv", OutputFormat.CSV, ("fr", "bm"))
    assert not list(tmp_path.iterdir())


def test_a_table_of_editions_has_their_key_points(tmp_path: Path) -> None:
    answer = job_pb2.JobResult(
        id="a", item=job_pb2.JobItem(article=summarization_pb2.Article(headline="Rain", body="Long."))
    )
    edition = answer.editions.add(headline="Pluies", summary="Il pleut.")
    edition.key_points.add(text="Il pleut à Mopti.")
    edition.key_points.add(text="Le fleuve monte.")
    write([answer], tmp_path / "out.csv", OutputFormat.CSV, ("fr",))
    with (tmp_path / "out.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert row["key_points_fr"] == "Il pleut à Mopti.\nLe fleuve monte."
    assert list(row)[:3] == ["id", "source_headline", "source"]
    assert (row["source_headline"], row["source"]) == ("Rain", "Long.")


def test_files_are_as_private_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write(RESULTS, tmp_path / "out.jsonl", OutputFormat.JSONL, ("fr", "bm"))
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("of before")

    def breaking() -> Iterator[job_pb2.JobResult]:
        yield from RESULTS
        raise ConnectionError

    with pytest.raises(ConnectionError):
        write(breaking(), path, OutputFormat.JSONL, ("fr", "bm"))
    assert path.read_text() == "of before"
    assert list(tmp_path.iterdir()) == [path]
