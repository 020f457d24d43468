"""What only the backend on ONNX Runtime does; `test_embedded_model.py` runs all else on it too."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kunnafoni_models import registry
from kunnafoni_models.backend import Decoding, ModelLoadError, Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni_models.backend import Backend
    from kunnafoni_models.catalog.entry import CatalogEntry

GREEDY = Decoding(repetition_penalty=1.05)
TEXTS = ["Hello.", "The rain has come.", "The minister spoke on Monday evening in Bamako, and nobody listened to him."]


@pytest.fixture(scope="module")
def entry(embedded_entry: CatalogEntry) -> CatalogEntry:
    assert embedded_entry.backend == "onnxruntime"
    return embedded_entry


@pytest.fixture(scope="module")
def model(entry: CatalogEntry) -> Iterator[Backend]:
    model = registry.load(entry)
    yield model
    model.close()


def test_prompts_are_not_filled(model: Backend) -> None:
    rows = [model.translation_prompt(text, source="en", target="fr") for text in TEXTS]
    assert not any(row.tokens[1] == "▁" for row in rows)
    assert model.supports_continuous_batching


def test_a_row_joins_those_that_run_and_neither_depends_on_the_other(model: Backend) -> None:
    rows = [model.translation_prompt(text, source="en", target="fr") for text in TEXTS]
    careful = Decoding(repetition_penalty=1.3)
    alone = [model.generate([row], GREEDY)[0] for row in rows]
    begun, late = threading.Event(), list[Output]()

    def join_in() -> None:
        begun.wait()
        late.extend(model.generate(rows[1:2], careful))

    thread = threading.Thread(target=join_in)
    thread.start()
    together = model.generate(rows, GREEDY, lambda _row, _output: begun.set())
    thread.join()
    assert together == alone
    assert late == model.generate(rows[1:2], careful)


def test_more_rows_than_seats_wait_for_one(model: Backend) -> None:
    row = model.translation_prompt(TEXTS[0], source="en", target="fr")
    told: list[int] = []
    outputs = model.generate([row] * 100, GREEDY, lambda number, _: told.append(number))
    assert outputs == model.generate([row], GREEDY) * 100
    assert sorted(told) == list(range(100))


@pytest.mark.parametrize("background", [False, True])
def test_beams_run_beside_other_rows_and_neither_depends_on_the_other(model: Backend, background: bool) -> None:
    rows = [model.translation_prompt(text, source="en", target="fr") for text in TEXTS]
    behind = [replace(row, background=background) for row in rows]
    wide = Decoding(beam_size=4)
    alone = [model.generate(rows, decoding) for decoding in (GREEDY, wide)]
    with ThreadPoolExecutor(8) as threads:
        together = [
            threads.submit(model.generate, each, decoding) for each in (rows, behind) * 2 for decoding in (GREEDY, wide)
        ]
        assert [each.result() for each in together] == alone * 4


def test_what_a_row_raises_reaches_its_caller_when_the_others_are_done(
    model: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [model.translation_prompt(text, source="en", target="fr") for text in TEXTS]
    before = model.generate(rows, GREEDY)
    running: Any = getattr(model, "_rows")._foreground.seats  # noqa: B009 - a Backend has none

    def fail(*_: object) -> None:
        monkeypatch.undo()
        raise MemoryError

    monkeypatch.setattr(running, "_penalise", fail)
    with pytest.raises(MemoryError):
        model.generate(rows, GREEDY)
    assert model.generate(rows, GREEDY) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"options": {"compute_type": "int4"}}, "computes in int8 or float32, not in int4"),
        ({"options": {"beams": 3}}, "has no option beams"),
        ({"end": None}, "end_token and total_tokens"),
        ({"end": "<no such>"}, "no token '<no such>'"),
        ({"begin": ("<no such>",)}, "no token '<no such>'"),
    ],
)
def test_what_is_wrong_with_an_entry_is_told_at_load(entry: CatalogEntry, change: dict[str, Any], said: str) -> None:
    prompts = replace(
        entry.prompts,
        end_token=change.get("end", entry.prompts.end_token),
        begin_tokens=change.get("begin", entry.prompts.begin_tokens),
    )
    with pytest.raises(ModelLoadError, match=said):
        registry.load(replace(entry, prompts=prompts, options=change.get("options", entry.options)))


def test_on_a_gpu_all_is_ctranslate2s(entry: CatalogEntry) -> None:
    with pytest.raises(ModelLoadError, match="CTranslate2 cannot load it on device cuda"):
        registry.load(entry, device="cuda")
