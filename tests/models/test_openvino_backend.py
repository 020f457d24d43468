"""What only the backend on OpenVINO does; `test_embedded_model.py` runs all else on it too."""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kunnafoni_models import registry
from kunnafoni_models.backend import Decoding, ModelLoadError, Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni_models.backend import Backend
    from kunnafoni_models.entries import CatalogEntry

GREEDY = Decoding()
TEXTS = ["Hello.", "The rain has come.", "The minister spoke on Monday evening in Bamako, and nobody listened to him."]


@pytest.fixture(scope="module")
def entry(embedded_entry: CatalogEntry) -> CatalogEntry:
    return replace(embedded_entry, backend="openvino")


@pytest.fixture(scope="module")
def model(entry: CatalogEntry) -> Iterator[Backend]:
    model = registry.load(entry, parallel=2)
    yield model
    model.close()


def test_prompts_are_not_filled_and_share_batches_at_any_length(model: Backend) -> None:
    rows = [model.translation_prompt(text, source="en", target="fr") for text in TEXTS]
    assert len({len(row.tokens) for row in rows}) == len(rows)
    assert {row.length_class for row in rows} == {0}


def test_a_row_joins_those_that_run_and_neither_depends_on_the_other(model: Backend) -> None:
    rows = [model.translation_prompt(text, source="en", target="fr") for text in TEXTS]
    alone = [model.generate([row], GREEDY)[0] for row in rows]
    begun, late = threading.Event(), list[Output]()

    def join_in() -> None:
        begun.wait()
        late.extend(model.generate(rows[1:2], Decoding(repetition_penalty=1.3)))

    thread = threading.Thread(target=join_in)
    thread.start()
    together = model.generate(rows, GREEDY, lambda _row, _output: begun.set())
    thread.join()
    assert together == alone
    assert late == model.generate(rows[1:2], Decoding(repetition_penalty=1.3))


def test_rows_that_may_outgrow_the_window_go_to_ctranslate2(model: Backend) -> None:
    text = "The rain has come and the children are going to school today. " * 14
    row = replace(model.translation_prompt(text, source="en", target="bm"), max_output_tokens=400)
    short = replace(row, max_output_tokens=5)
    others: Any = getattr(model, "_others")  # noqa: B009 - a Backend has none
    assert model.generate([row], GREEDY) == others.backend().generate([replace(row, any_company=False)], GREEDY)
    [alone] = model.generate([short], GREEDY)
    assert model.generate([short, row], GREEDY)[0] == alone  # whatever its neighbour is


def test_a_step_that_fails_fails_its_rows_and_no_later_ones(model: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    row = model.translation_prompt(TEXTS[1], source="en", target="fr")
    [before] = model.generate([row], GREEDY)
    rows: Any = getattr(model, "_rows")  # noqa: B009 - a Backend has none

    def fail() -> None:
        monkeypatch.undo()
        raise MemoryError

    monkeypatch.setattr(rows, "_step", fail)
    with pytest.raises(MemoryError):
        model.generate([row, row], GREEDY)
    assert model.generate([row], GREEDY) == [before]


def test_a_runtime_that_is_not_installed_is_named(entry: CatalogEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "kunnafoni_models.openvino_backend", raising=False)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModelLoadError, match=r"needs openvino: pip install 'kunnafoni\[openvino\]'"):
        registry.load(entry)


def test_it_runs_on_the_processor_alone_and_says_so(entry: CatalogEntry) -> None:
    with pytest.raises(ModelLoadError, match="does not run on cuda"):
        registry.load(entry, device="cuda")


def test_what_it_needs_of_an_entry_is_named(entry: CatalogEntry) -> None:
    with pytest.raises(ModelLoadError, match="end_token"):
        registry.load(replace(entry, prompts=replace(entry.prompts, end_token=None)))
