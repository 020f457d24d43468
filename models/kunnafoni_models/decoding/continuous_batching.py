"""Continuous batching: sequences join and leave the running batch at every decode step (Yu et al. 2022, Orca).

Every step gives each running sequence one token, and waiting sequences join; a sequence with beam search occupies a
slot per hypothesis. Background sequences have KV-cache slots of their own, and are paused for most of the time while
others run. This module decides when sequences join, within which token budget, and whose step is next; `kv_cache_slots`
chooses their tokens and finishes them.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from kunnafoni_models.decoding.kv_cache_slots import KVCacheSlots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kunnafoni_models.decoding.kv_cache_slots import Decoder
    from kunnafoni_models.decoding.sequence import DecodingSequence

LOG = logging.getLogger(__name__)
# Prompt tokens that are read between two decode steps. More make the running sequences wait, and are read no faster
# (0.2 ms each from 140 on, 2 cores, 2026-11-27).
_PREFILL_TOKENS = 320
# When nothing has run in slots for this long, their memory is released.
_IDLE_AFTER_S = 2.0
# The background's share of the time while others run; the same as of batches without continuous batching
# (`batches_per_job_batch` of the service's engine).
_BACKGROUND_SHARE = 1 / 8


@dataclass(slots=True)
class _PriorityClass:
    """The running and waiting sequences of one priority, foreground or background.

    Attributes:
        last_step_s: When it had its last decode step; None once the memory of its slots is released.
    """

    slots: KVCacheSlots
    waiting: deque[DecodingSequence] = field(default_factory=deque["DecodingSequence"])
    last_step_s: float | None = None

    def __bool__(self) -> bool:
        return bool(self.slots or self.waiting)


class ContinuousBatcher:
    """Runs sequences in a thread of its own. Those beyond the slots or the token budget wait, in order of arrival.

    Args:
        decoder: Has twice as many slots, the second half for the background; nobody else may use it.
        end_id: Id of the end token.
        slots: Most sequences that run at once, or hypotheses of them; as many again in the background.
        max_length: Most tokens of a sequence, prompt and output together.
        max_tokens: Token budget: most tokens that the running sequences may come to hold in the KV cache; as many again
            in the background.
    """

    def __init__(self, decoder: Decoder, *, end_id: int, slots: int, max_length: int, max_tokens: int) -> None:
        self._decoder = decoder
        self._foreground, self._background = (
            _PriorityClass(KVCacheSlots(decoder, first=first, slots=slots, max_length=max_length, end_id=end_id))
            for first in (0, slots)
        )
        self._background_credit_s = 0.0
        self._slots = slots
        self._max_length = max_length
        self._max_tokens = max_tokens
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="continuous-batching", daemon=True)
        self._thread.start()

    def add(self, sequences: Sequence[DecodingSequence]) -> None:
        """Let sequences join the running ones. Safe from any thread.

        Raises:
            ValueError: A sequence is longer than a slot may hold, or its beam wider than all slots.
            RuntimeError: The batcher is closed.
        """
        for sequence in sequences:
            if sequence.max_length > self._max_length:
                raise ValueError(
                    f"a sequence takes up to {sequence.max_length} tokens and a slot holds {self._max_length}"
                )
            if sequence.slots > self._slots:
                raise ValueError(f"a beam has {sequence.slots} hypotheses and there are {self._slots} slots")
        with self._changed:
            if self._closed:
                raise RuntimeError("the model is closed")
            for sequence in sequences:
                (self._background if sequence.background else self._foreground).waiting.append(sequence)
            self._changed.notify()

    def close(self) -> None:
        """End the thread, and fail whatever runs or waits."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _serve(self) -> None:
        try:
            while self._wait_for_work():
                self._step()
        finally:
            with self._changed:
                self._closed = True
                classes = self._foreground, self._background
                unfinished = [sequence for group in classes for sequence in (*group.slots.clear(), *group.waiting)]
                for group in classes:
                    group.waiting.clear()
            _fail(unfinished, RuntimeError("the model was closed"))

    def _step(self) -> None:
        """Run one step of a priority class; if both have work, the background's only if it has time to its credit."""
        stepping, other = self._foreground, self._background
        began_s, contended = monotonic(), bool(stepping and other)
        if not stepping or (contended and self._background_credit_s > 0):
            stepping, other = other, stepping
        try:
            self._join(stepping)
            if stepping.slots:
                stepping.slots.decode_step()
        except Exception as error:  # noqa: BLE001 - whatever the runtime raises belongs to the sequences
            _fail(stepping.slots.clear(), error)
        stepping.last_step_s = monotonic()
        if contended:  # time, not steps: a step of all slots takes as long as five steps of one slot
            share = _BACKGROUND_SHARE - (stepping is self._background)
            self._background_credit_s += share * (stepping.last_step_s - began_s)
        if other.last_step_s is not None and not other and stepping.last_step_s - other.last_step_s > _IDLE_AFTER_S:
            _release(other.slots.release_memory)
            other.last_step_s = None

    def _wait_for_work(self) -> bool:
        """Return when there is something to run, or False once closed."""
        with self._changed:
            idle = not self._changed.wait_for(self._has_work, timeout=_IDLE_AFTER_S)
        if idle:
            _release(self._decoder.release_memory)
        with self._changed:
            self._changed.wait_for(self._has_work)
            return not self._closed

    def _has_work(self) -> bool:
        return bool(self._foreground or self._background or self._closed)

    def _join(self, joined: _PriorityClass) -> None:
        """Let waiting sequences join, as many as one prefill may read."""
        if sequences := self._next_to_join(joined):
            try:
                scores = joined.slots.prefill(sequences)
            except Exception as error:  # noqa: BLE001 - the running sequences have nothing to do with it
                _fail(sequences, error)
            else:
                joined.slots.add(sequences, scores)

    def _next_to_join(self, joined: _PriorityClass) -> list[DecodingSequence]:
        chosen: list[DecodingSequence] = []
        slots, tokens, longest_prompt = len(joined.slots), joined.slots.max_cached_tokens, 0
        with self._changed:
            while joined.waiting:
                sequence = joined.waiting[0]
                slots += sequence.slots
                tokens += sequence.max_cached_tokens
                longest_prompt = max(longest_prompt, len(sequence.prompt))
                prefill_tokens = longest_prompt * (len(chosen) + 1)
                # A single sequence joins an empty batch however many tokens it may hold, and however long its prompt.
                if (joined.slots or chosen) and (slots > self._slots or tokens > self._max_tokens):
                    break
                if chosen and prefill_tokens > _PREFILL_TOKENS:
                    break
                chosen.append(joined.waiting.popleft())
        return chosen


def _release(release_memory: Callable[[], None]) -> None:
    try:
        release_memory()
    except Exception:
        LOG.exception("the memory of an idle model cannot be released")


def _fail(sequences: Iterable[DecodingSequence], error: Exception) -> None:
    for sequence in sequences:
        sequence.fail(error)
