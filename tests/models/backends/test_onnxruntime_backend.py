"""What only the backend on ONNX Runtime does; `test_embedded_model.py` covers what all backends do."""

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
    prompts = [model.translation_prompt(text, source="en", target="fr") for text in TEXTS]
    assert not any(prompt.tokens[1] == "▁" for prompt in prompts)
    assert model.supports_continuous_batching


def test_a_sequence_joins_the_running_ones_and_changes_no_output(model: Backend) -> None:
    prompts = [model.translation_prompt(text, source="en", target="fr") for text in TEXTS]
    penalised = Decoding(repetition_penalty=1.3)
    alone = [model.generate([prompt], GREEDY)[0] for prompt in prompts]
    begun, late = threading.Event(), list[Output]()

    def join_in() -> None:
        begun.wait()
        late.extend(model.generate(prompts[1:2], penalised))

    thread = threading.Thread(target=join_in)
    thread.start()
    together = model.generate(prompts, GREEDY, lambda _index, _output: begun.set())
    thread.join()
    assert together == alone
    assert late == model.generate(prompts[1:2], penalised)


def test_sequences_beyond_the_slots_wait_for_one(model: Backend) -> None:
    prompt = model.translation_prompt(TEXTS[0], source="en", target="fr")
    reported: list[int] = []
    outputs = model.generate([prompt] * 100, GREEDY, lambda index, _: reported.append(index))
    assert outputs == model.generate([prompt], GREEDY) * 100
    assert sorted(reported) == list(range(100))


@pytest.mark.parametrize("background", [False, True])
def test_beam_searches_run_beside_greedy_sequences_and_change_no_output(model: Backend, background: bool) -> None:
    prompts = [model.translation_prompt(text, source="en", target="fr") for text in TEXTS]
    in_background = [replace(prompt, background=background) for prompt in prompts]
    wide = Decoding(beam_size=4)
    alone = [model.generate(prompts, decoding) for decoding in (GREEDY, wide)]
    with ThreadPoolExecutor(8) as threads:
        together = [
            threads.submit(model.generate, each, decoding)
            for each in (prompts, in_background) * 2
            for decoding in (GREEDY, wide)
        ]
        assert [each.result() for each in together] == alone * 4


def test_an_error_of_the_runtime_is_raised_and_later_batches_run(
    model: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [model.translation_prompt(text, source="en", target="fr") for text in TEXTS]
    before = model.generate(prompts, GREEDY)
    running: Any = getattr(model, "_batcher")._foreground.slots  # noqa: B009 - a Backend has none

    def fail(*_: object) -> None:
        monkeypatch.undo()
        raise MemoryError

    monkeypatch.setattr(running, "_penalise", fail)
    with pytest.raises(MemoryError):
        model.generate(prompts, GREEDY)
    assert model.generate(prompts, GREEDY) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": {"compute_type": "int4"}}, "computes in int8 or float32, not in int4"),
        ({"options": {"beams": 3}}, "has no option beams"),
        ({"end": None}, "end_token and total_tokens"),
        ({"end": "<no such>"}, "no token '<no such>'"),
        ({"begin": ("<no such>",)}, "no token '<no such>'"),
    ],
)
def test_a_wrong_entry_is_refused_at_load(entry: CatalogEntry, change: dict[str, Any], message: str) -> None:
    templates = replace(
        entry.prompts,
        end_token=change.get("end", entry.prompts.end_token),
        begin_tokens=change.get("begin", entry.prompts.begin_tokens),
    )
    with pytest.raises(ModelLoadError, match=message):
        registry.load(replace(entry, prompts=templates, options=change.get("options", entry.options)))


def test_on_a_gpu_ctranslate2_runs_the_model(entry: CatalogEntry) -> None:
    with pytest.raises(ModelLoadError, match="CTranslate2 cannot load it on device cuda"):
        registry.load(entry, device="cuda")
