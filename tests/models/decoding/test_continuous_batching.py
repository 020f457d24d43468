"""Continuous batching: when sequences join, what each one outputs, and how each one ends."""

from __future__ import annotations

import itertools
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kunnafoni_models.backend import Decoding
from kunnafoni_models.decoding.continuous_batching import ContinuousBatcher
from kunnafoni_models.decoding.sequence import DecodingSequence
from tests.models.fake_decoder import END, MAX_LENGTH, SLOTS, VOCABULARY, FakeDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture
def decoder() -> FakeDecoder:
    return FakeDecoder()


@pytest.fixture
def batcher(decoder: FakeDecoder) -> Iterator[ContinuousBatcher]:
    batcher = ContinuousBatcher(decoder, end_id=END, slots=SLOTS, max_length=MAX_LENGTH, max_tokens=120)
    yield batcher
    batcher.close()


def make(
    prompts: Sequence[Sequence[int]], *, cap: int = 20, penalty: float = 1.0, beam: int = 1, background: bool = False
) -> tuple[list[DecodingSequence], Any]:
    finished: SimpleQueue[DecodingSequence] = SimpleQueue()
    decoding = Decoding(beam_size=beam, repetition_penalty=penalty)
    return [DecodingSequence(prompt, cap, decoding, finished.put, background) for prompt in prompts], finished


def run(batcher: ContinuousBatcher, prompts: Sequence[Sequence[int]], **options: Any) -> list[list[int]]:
    made, finished = make(prompts, **options)
    batcher.add(made)
    for _ in made:
        sequence = finished.get(timeout=10)
        if sequence.error:
            raise sequence.error
    assert finished.empty()
    return [list(sequence.output) for sequence in made]


PROMPTS = [[3, 4, 5], [9], [2, 2, 2, 2, 2, 2], [30, 20], [8, 8, 1], [40], [11, 12], [6, 6, 6, 6]]


def test_each_sequence_has_the_output_that_it_has_alone(batcher: ContinuousBatcher, decoder: FakeDecoder) -> None:
    alone = [run(batcher, [prompt])[0] for prompt in PROMPTS]
    assert [len(answer) for answer in alone] == [len(prompt) + 5 for prompt in PROMPTS]
    assert run(batcher, PROMPTS) == alone
    assert decoder.most_prefilled == SLOTS


def test_a_sequence_joins_the_running_ones(batcher: ContinuousBatcher, decoder: FakeDecoder) -> None:
    alone = [run(batcher, [prompt])[0] for prompt in PROMPTS[:2]]
    decoder.gate.clear()
    (first, *_), finished = make(PROMPTS[:1])
    batcher.add([first])
    (late, *_), _ = make(PROMPTS[1:2])
    late.on_finished = finished.put
    batcher.add([late])
    decoder.gate.set()
    assert {finished.get(timeout=10), finished.get(timeout=10)} == {first, late}
    assert [first.output, late.output] == alone


def test_background_sequences_pause_for_most_of_the_time_while_others_run(
    batcher: ContinuousBatcher, decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = itertools.count()  # a step takes a second
    monkeypatch.setattr("kunnafoni_models.decoding.continuous_batching.monotonic", lambda: next(now_s))
    alone = [run(batcher, [prompt])[0] for prompt in PROMPTS]
    decoder.gate.clear()
    decoder.at_gate.clear()
    background, finished = make(PROMPTS, background=True)
    batcher.add(background)
    assert decoder.at_gate.wait(10)  # all slots of the background are occupied
    foreground, finished_foreground = make(PROMPTS)
    batcher.add(foreground)
    decoder.steps.clear()
    decoder.gate.set()
    assert {finished_foreground.get(timeout=10) for _ in foreground} == set(foreground)
    steps = "".join(decoder.steps)
    assert {finished.get(timeout=10) for _ in background} == set(background)
    assert [sequence.output for sequence in foreground] == [sequence.output for sequence in background] == alone
    meanwhile = steps[steps.index("f") : steps.rindex("f") + 1]
    assert 0 < meanwhile.count("b") <= len(meanwhile) / 8 + 1


def test_each_hypothesis_of_a_beam_has_a_slot_beside_those_of_other_sequences(
    batcher: ContinuousBatcher, decoder: FakeDecoder
) -> None:
    greedy = [run(batcher, [prompt])[0] for prompt in PROMPTS]
    searched = [run(batcher, [prompt], beam=3)[0] for prompt in PROMPTS]
    assert decoder.most_prefilled == 1  # prompts are read once
    made, finished = make(PROMPTS)
    wide, finished_wide = make(PROMPTS, beam=3)
    batcher.add([sequence for pair in zip(made, wide, strict=True) for sequence in pair])
    assert {finished.get(timeout=10) for _ in made} == set(made)
    assert {finished_wide.get(timeout=10) for _ in wide} == set(wide)
    assert [sequence.output for sequence in made] == greedy
    assert [sequence.output for sequence in wide] == searched
    assert decoder.most_stepped == SLOTS
    assert [len(tokens) for tokens in run(batcher, PROMPTS, beam=2, cap=3)] == [3] * len(PROMPTS)


def test_memory_of_long_sequences_is_released_when_they_finish(
    batcher: ContinuousBatcher, decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kunnafoni_models.decoding.kv_cache_slots._KEPT_TOKENS", 10)
    run(batcher, [[9]])
    assert decoder.trimmed == []
    run(batcher, [[2, 2], [3, 4, 5, 6]])  # the second has 12 tokens when it moves into the slot of the first
    assert decoder.trimmed == [(1, 10), (0, 10)]


def test_a_sequence_stops_at_its_cap_and_in_a_loop(batcher: ContinuousBatcher, decoder: FakeDecoder) -> None:
    assert [len(tokens) for tokens in run(batcher, PROMPTS, cap=3)] == [3] * len(PROMPTS)
    decoder.scores = np.eye(VOCABULARY, dtype=np.float32)[7]
    [sequence], finished = make([[3] * 4], cap=60)
    batcher.add([sequence])
    assert finished.get(timeout=10).cut_short
    assert len(sequence.output) < 60


def test_the_penalty_counts_the_output_of_the_sequence_alone(batcher: ContinuousBatcher, decoder: FakeDecoder) -> None:
    decoder.scores = np.zeros(VOCABULARY, np.float32)
    decoder.scores[[5, 6]] = 10, 9.5
    assert run(batcher, [[5], [5, 6]], cap=3) == [[5, 5, 5]] * 2
    # 10 / 1.1 is less than 9.5; once both are in the output, it is more than 9.5 / 1.1.
    assert run(batcher, [[5], [5, 6]], cap=4, penalty=1.1) == [[5, 6, 5, 5]] * 2
    decoder.scores = decoder.scores - 20
    decoder.scores[[5, 6]] = -1, -1.05
    assert run(batcher, [[5]], cap=3, penalty=1.1) == [[5, 6, 5]]


def test_a_prefill_reads_several_prompts_within_the_token_budget(
    batcher: ContinuousBatcher, decoder: FakeDecoder
) -> None:
    decoder.gate.clear()
    made, finished = make([[9] * 25] * 4, cap=25)
    batcher.add(made)
    decoder.gate.set()
    for _ in made:
        finished.get(timeout=10)
    assert decoder.prefills[0] <= 2  # 50 tokens each at worst, of 120
    assert decoder.most_prefilled == 2


def test_an_error_of_a_step_fails_the_running_sequences_and_no_later_ones(
    batcher: ContinuousBatcher, decoder: FakeDecoder
) -> None:
    [before] = run(batcher, PROMPTS[:1])
    decoder.gate.clear()
    decoder.at_gate.clear()
    made, finished = make(PROMPTS[:2])
    batcher.add(made)
    assert decoder.at_gate.wait(10)
    decoder.fail_step = MemoryError("no room to step")
    decoder.gate.set()
    assert {str(finished.get(timeout=10).error) for _ in made} == {"no room to step"}
    assert run(batcher, PROMPTS[:1]) == [before]


def test_an_error_of_a_prefill_does_not_fail_the_running_sequences(
    batcher: ContinuousBatcher, decoder: FakeDecoder
) -> None:
    [before] = run(batcher, PROMPTS[:1])
    decoder.gate.clear()
    decoder.at_gate.clear()
    (first, *_), finished = make(PROMPTS[:1])
    batcher.add([first])
    assert decoder.at_gate.wait(10)
    (poison, *_), _ = make(PROMPTS[1:2])
    poison.on_finished = finished.put
    batcher.add([poison])
    decoder.fail_prefill = MemoryError("no room to read")
    decoder.gate.set()
    assert {finished.get(timeout=10), finished.get(timeout=10)} == {first, poison}
    assert (first.output, first.error, str(poison.error)) == (before, None, "no room to read")


def test_finished_sequences_are_reported_if_their_slots_cannot_be_reused(
    batcher: ContinuousBatcher, decoder: FakeDecoder
) -> None:
    short, long = [[9]] * 2, [[9] * 9] * 2
    expected = run(batcher, short)
    made, finished = make([*short, *long])
    decoder.fail_copy = MemoryError("no room to copy")
    batcher.add(made)
    assert {finished.get(timeout=10) for _ in made} == set(made)
    assert [list(sequence.output) for sequence in made if not sequence.error] == expected
    assert [str(sequence.error) for sequence in made if sequence.error] == ["no room to copy"] * 2
    assert finished.empty()


def test_memory_that_cannot_be_released_fails_nothing(
    batcher: ContinuousBatcher, decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("kunnafoni_models.decoding.continuous_batching._IDLE_AFTER_S", 0.02)
    decoder.fail_release = MemoryError()
    [before] = run(batcher, PROMPTS[:1])
    assert decoder.memory_released.wait(10)
    assert run(batcher, PROMPTS[:1]) == [before]
    assert [record.message for record in caplog.records] == ["the memory of an idle model cannot be released"]


def test_closing_fails_whatever_runs_or_waits(decoder: FakeDecoder) -> None:
    batcher = ContinuousBatcher(decoder, end_id=END, slots=SLOTS, max_length=MAX_LENGTH, max_tokens=120)
    decoder.gate.clear()
    made, finished = make(PROMPTS)
    batcher.add(made)
    closing = threading.Thread(target=batcher.close)
    closing.start()
    decoder.gate.set()
    closing.join(10)
    ends = [finished.get(timeout=10) for _ in made]
    assert {str(sequence.error) for sequence in ends if sequence.error} == {"the model was closed"}
    batcher.close()
    with pytest.raises(RuntimeError, match="closed"):
        batcher.add(make(PROMPTS)[0])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_fails_every_sequence(batcher: ContinuousBatcher, decoder: FakeDecoder) -> None:
    decoder.fail_step = SystemExit()
    with pytest.raises(RuntimeError, match="closed"):
        run(batcher, PROMPTS)
    with pytest.raises(RuntimeError, match="closed"):
        batcher.add(make(PROMPTS)[0])


def test_a_sequence_that_no_slot_can_hold_is_refused(batcher: ContinuousBatcher) -> None:
    with pytest.raises(ValueError, match="up to 80 tokens and a slot holds 64"):
        batcher.add(make([[3] * 60])[0])
    with pytest.raises(ValueError, match="5 hypotheses and there are 4 slots"):
        batcher.add(make([[3]], beam=5)[0])


def test_the_memory_of_the_slots_is_released_when_idle(
    batcher: ContinuousBatcher, decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kunnafoni_models.decoding.continuous_batching._IDLE_AFTER_S", 0.02)
    run(batcher, PROMPTS)
    assert decoder.memory_released.wait(10)
    run(batcher, PROMPTS)


def test_the_memory_of_idle_slots_is_released_while_the_other_class_runs(
    batcher: ContinuousBatcher, decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = itertools.count()
    monkeypatch.setattr("kunnafoni_models.decoding.continuous_batching.monotonic", lambda: next(now_s))
    run(batcher, PROMPTS[:1])
    assert decoder.released == []
    run(batcher, PROMPTS[:1], background=True)
    assert decoder.released == [(0, SLOTS)]
    decoder.fail_release = MemoryError()
    run(batcher, PROMPTS[:1])
    assert decoder.released == [(0, SLOTS)]
    run(batcher, PROMPTS[:1], background=True)
    assert decoder.released == [(0, SLOTS)] * 2
