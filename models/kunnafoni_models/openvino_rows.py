"""Rows that run together on OpenVINO, each from when it comes to when it ends: none waits for a batch to be over.

It knows token numbers, caps and loops. It does not know texts, or who waits for a row. The runtime holds Python's
interpreter lock during a step, 64 ms with 48 rows on 2 cores: other threads run between steps only.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino
import openvino_genai

from kunnafoni_models.row_watch import RowWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

# OpenVINO's own types do not say what these take.
_genai: Any = openvino_genai
_tensor: Any = openvino.Tensor
# One row alone goes another way through the processor than two, and its numbers round differently. This one runs beside
# whatever runs, so that an answer does not depend on company (1 of 100 differs, and 24 without it, 2026-11-27).
_COMPANION_TOKENS = 256
_MOST_ROWS = 256
_TOKENS_A_STEP = 512
# Room for keys and values, taken as it is used: 36 KB a token of the embedded model.
_CACHE_GB = 1


@dataclass(slots=True, eq=False)
class RunningRow:
    """One row, from its prompt to its end.

    Attributes:
        prompt: Token numbers.
        max_tokens: Its cap.
        repetition_penalty: See `Decoding`; here it counts every token of the prompt.
        ended: Called once, in the thread that runs the rows.
        tokens: Of the answer so far, the end token not among them.
        watch: Says when it must stop.
        error: Why it will have no answer.
    """

    prompt: Sequence[int]
    max_tokens: int
    repetition_penalty: float
    ended: Callable[[RunningRow], object]
    tokens: list[int] = field(default_factory=list[int])
    watch: RowWatch = field(init=False)
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.watch = RowWatch(self.max_tokens)


class RunningRows:
    """Runs rows in a thread of its own, step by step: a token for each row, and whoever has come joins in.

    Args:
        folder: With `openvino_model.xml`, which must have no state before its first token.
        end: The end token's number.
        threads: Of the processor.
    """

    def __init__(self, folder: Path, *, end: int, threads: int) -> None:
        scheduler = _genai.SchedulerConfig()
        scheduler.cache_size = _CACHE_GB
        scheduler.max_num_batched_tokens = _TOKENS_A_STEP
        scheduler.max_num_seqs = _MOST_ROWS
        scheduler.enable_prefix_caching = False
        properties = {
            "INFERENCE_PRECISION_HINT": "f32",
            "KV_CACHE_PRECISION": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # the server's other threads run on the same cores
        }
        self._pipeline: Any = _genai.ContinuousBatchingPipeline(str(folder), scheduler, "CPU", properties)
        self._end = end
        self._config = lru_cache(maxsize=1024)(self._new_config)
        self._number = 0
        self._companion: Any = None
        self._running: dict[RunningRow, Any] = {}
        self._coming: list[RunningRow] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="openvino-rows", daemon=True)
        self._thread.start()

    def add(self, rows: Sequence[RunningRow]) -> None:
        """Let rows join those that run. Safe from any thread."""
        with self._changed:
            self._coming += rows
            self._changed.notify()

    def close(self) -> None:
        """End the thread and free the model. No row may be running."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()
        self._pipeline = None

    def _serve(self) -> None:
        while self._join_in():
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 - whatever the runtime raises belongs to the rows
                self._fail(error)

    def _join_in(self) -> bool:
        """Wait until there is something to run; False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._running or self._coming or self._closed)
            coming, self._coming = self._coming, []
        self._running |= dict.fromkeys(coming)
        return bool(self._running)

    def _step(self) -> None:
        for row in [row for row, handle in self._running.items() if handle is None]:
            self._running[row] = self._begin(row.prompt, self._config(row.max_tokens, row.repetition_penalty))
        if self._companion is None:
            self._companion = self._begin([self._end], self._config(_COMPANION_TOKENS, 1.0))
        self._pipeline.step()
        for row, handle in list(self._running.items()):
            self._read(row, handle)
        deque(_new_tokens(self._companion), maxlen=0)
        if not _runs(self._companion):
            self._companion = None
        if not self._running:
            self._dismiss_companion()

    def _begin(self, prompt: Sequence[int], config: Any) -> Any:
        self._number += 1
        return self._pipeline.add_request(self._number, _tensor(np.array([prompt], np.int64)), config)

    def _read(self, row: RunningRow, handle: Any) -> None:
        for token in _new_tokens(handle):
            if token == self._end:
                self._finish(row)
                return
            row.tokens.append(token)
            if row.watch.stop(token):
                handle.cancel()
                self._finish(row)
                return
        if not _runs(handle):
            row.error = RuntimeError(f"OpenVINO gave a row up: {handle.get_status().name}")
            self._finish(row)

    def _finish(self, row: RunningRow) -> None:
        del self._running[row]
        row.ended(row)

    def _dismiss_companion(self) -> None:
        if self._companion is not None:
            self._companion.cancel()
            self._companion = None
        self._pipeline.step()  # takes those that were cancelled out

    def _fail(self, error: Exception) -> None:
        rows, self._running = self._running, {}
        for row, handle in rows.items():
            if handle is not None:
                handle.cancel()
            row.error = error
            row.ended(row)

    def _new_config(self, max_tokens: int, repetition_penalty: float) -> Any:
        config = _genai.GenerationConfig()
        config.max_new_tokens = max_tokens
        config.repetition_penalty = repetition_penalty
        config.eos_token_id = self._end
        config.stop_token_ids = {self._end}
        return config


def _new_tokens(handle: Any) -> Iterator[int]:
    while handle.can_read():
        for output in handle.read().values():
            yield from output.generated_ids


def _runs(handle: Any) -> bool:
    return handle.get_status() == _genai.GenerationStatus.RUNNING
