"""Gemma 3 models in CTranslate2's format on OpenVINO: faster for one caller on a processor of the present.

Greedy rows run here, and join those that run already. What OpenVINO does otherwise or not at all (beams, bans on
n-grams, windows) is left to the backend on CTranslate2, which is loaded when the first such row comes. It knows how
rows become answers; how they run is in `openvino_rows`, the network in `openvino_gemma`.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import openvino

from kunnafoni_models import ctranslate2_backend
from kunnafoni_models.backend import ModelLoadError, Output
from kunnafoni_models.cores import parallel_batches, usable_cores
from kunnafoni_models.gemma_bin import ArchitectureError, read_decoder
from kunnafoni_models.model_files import read_file
from kunnafoni_models.openvino_gemma import gemma_model
from kunnafoni_models.openvino_rows import RunningRow, RunningRows
from kunnafoni_models.prompt_writer import PromptWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kunnafoni_models.backend import Backend, Decoding, Done, Prompt
    from kunnafoni_models.entries import CatalogEntry

_TOKENIZER = "tokenizer.json"


def load(entry: CatalogEntry, *, threads: int, parallel: int, device: str) -> Backend:
    """See `registry.load`. Options are those of the backend on CTranslate2, for the rows that are left to it."""
    if device not in {"auto", "cpu"}:
        raise ModelLoadError(f"{entry.id}: the backend openvino does not run on {device}: set device to cpu or auto")
    if entry.prompts.end_token is None:
        raise ModelLoadError(f"{entry.id}: the backend openvino needs the entry's end_token")
    threads = threads or usable_cores()
    parallel = parallel_batches(threads, wanted=parallel)
    # Fillers are for a runtime that needs prompts of equal length.
    unfilled = replace(entry, prompts=replace(entry.prompts, filler=""))
    with ThreadPoolExecutor(1) as beside:
        writer = beside.submit(lambda: PromptWriter(unfilled, read_file(entry, _TOKENIZER)))
        model, window = _model(entry)
        numbers = writer.result().numbers
        with TemporaryDirectory(prefix="kunnafoni-") as folder:
            openvino.save_model(model, Path(folder) / "openvino_model.xml", compress_to_fp16=False)
            (Path(folder) / "config.json").write_text(json.dumps({"model_type": "gemma3_text"}))
            rows = RunningRows(Path(folder), end=numbers[entry.prompts.end_token], threads=threads)
    others = _OnDemand(entry, threads=threads, parallel=parallel)
    return OpenVinoBackend(rows, writer.result(), others, window=window, parallel=parallel)


def _model(entry: CatalogEntry) -> tuple[Any, int | None]:
    """The network, and how many tokens it may see before a window would hide some; None if nothing hides any."""
    try:
        architecture, parameters = read_decoder(read_file(entry, "model.bin"))
    except ArchitectureError as error:
        raise ModelLoadError(f"{entry.id}: the backend openvino cannot run it: {error}") from error
    return gemma_model(architecture, parameters), None if all(architecture.full_attention) else architecture.window


class _OnDemand:
    """The backend on CTranslate2, loaded when it is first asked for."""

    def __init__(self, entry: CatalogEntry, *, threads: int, parallel: int) -> None:
        self._entry, self._threads, self._parallel = entry, threads, parallel
        self._loading = threading.Lock()
        self._backend: Backend | None = None

    def backend(self) -> Backend:
        with self._loading:
            if self._backend is None:
                self._backend = ctranslate2_backend.load(
                    self._entry, threads=self._threads, parallel=self._parallel, device="cpu"
                )
            return self._backend

    def close(self) -> None:
        if self._backend:
            self._backend.close()


class OpenVinoBackend:
    """A loaded Gemma 3 model; see `Backend`."""

    def __init__(
        self, rows: RunningRows, writer: PromptWriter, others: _OnDemand, *, window: int | None, parallel: int
    ) -> None:
        self.parallel = parallel
        self._rows = rows
        self._writer = writer
        self._numbers = writer.numbers
        self._others = others
        self._window = window

    def count_tokens(self, text: str) -> int:
        """See `Backend`."""
        return self._writer.count_tokens(text)

    def translation_prompt(self, text: str, *, source: str, target: str) -> Prompt:
        """See `Backend`."""
        return replace(self._writer.translation(text, source=source, target=target), any_company=True)

    def summary_prompt(self, text: str, *, language: str) -> Prompt:
        """See `Backend`."""
        return self._writer.summary(text, language=language)

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding, done: Done | None = None) -> list[Output]:
        """See `Backend`. A row that goes round in circles is stopped and counts as one that reached its cap."""
        left = {place: prompt for place, prompt in enumerate(prompts) if self._is_left(prompt, decoding)}
        here = {place: prompt for place, prompt in enumerate(prompts) if place not in left}
        outputs = self._greedy(here, decoding, done) if here else {}
        if left:
            alike = [replace(prompt, any_company=False) for prompt in left.values()]
            outputs |= zip(left, self._others.backend().generate(alike, decoding), strict=True)
        return [outputs[place] for place in range(len(prompts))]

    def close(self) -> None:
        """See `Backend`."""
        self._rows.close()
        self._others.close()

    def _is_left(self, prompt: Prompt, decoding: Decoding) -> bool:
        """Whether a row is for CTranslate2; it must not depend on its company."""
        longest = len(prompt.tokens) + prompt.max_output_tokens
        outgrows = self._window is not None and longest > self._window
        return outgrows or decoding.beam_size > 1 or decoding.no_repeat_ngram_size > 0

    def _greedy(self, prompts: Mapping[int, Prompt], decoding: Decoding, done: Done | None) -> dict[int, Output]:
        outputs: dict[int, Output] = {}
        all_ended = threading.Event()
        places: dict[RunningRow, int] = {}

        def ended(row: RunningRow) -> None:
            place = places[row]
            capped = row.watch.looped or len(row.tokens) >= row.max_tokens
            outputs[place] = Output(self._writer.text(row.tokens), len(row.tokens), capped)
            try:
                if done and not row.error:
                    done(place, outputs[place])
            finally:
                if len(outputs) == len(places):
                    all_ended.set()

        for place, prompt in prompts.items():
            numbers = [self._numbers[token] for token in prompt.tokens]
            row = RunningRow(numbers, prompt.max_output_tokens, decoding.repetition_penalty, ended)
            places[row] = place
        self._rows.add(list(places))
        all_ended.wait()
        for row in places:
            if row.error:
                raise row.error
        return outputs
