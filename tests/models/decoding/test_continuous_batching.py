"""Rows that run together: when they join, what each says, and what becomes of them."""

from __future__ import annotations

import itertools
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kunnafoni_models.backend import Decoding
from kunnafoni_models.decoding.continuous_batching import ContinuousBatcher
from kunnafoni_models.decoding.kv_cache_slots import DecodingSequence
from tests.models.fake_decoder import END, POSITIONS, SEATS, VOCABULARY, FakeDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture
def decoder() -> FakeDecoder:
    return FakeDecoder()


@pytest.fixture
def rows(decoder: FakeDecoder) -> Iterator[ContinuousBatcher]:
    rows = ContinuousBatcher(decoder, end=END, seats=SEATS, positions=POSITIONS, max_tokens=120)
    yield rows
    rows.close()


def make(
    prompts: Sequence[Sequence[int]], *, cap: int = 20, penalty: float = 1.0, beam: int = 1, background: bool = False
) -> tuple[list[DecodingSequence], Any]:
    ended: SimpleQueue[DecodingSequence] = SimpleQueue()
    decoding = Decoding(beam_size=beam, repetition_penalty=penalty)
    return [DecodingSequence(prompt, cap, decoding, ended.put, background) for prompt in prompts], ended


def run(rows: ContinuousBatcher, prompts: Sequence[Sequence[int]], **options: Any) -> list[list[int]]:
    made, ended = make(prompts, **options)
    rows.add(made)
    for _ in made:
        row = ended.get(timeout=10)
        if row.error:
            raise row.error
    assert ended.empty()
    return [list(row.tokens) for row in made]


PROMPTS = [[3, 4, 5], [9], [2, 2, 2, 2, 2, 2], [30, 20], [8, 8, 1], [40], [11, 12], [6, 6, 6, 6]]


def test_each_row_has_the_answer_that_it_has_alone(rows: ContinuousBatcher, decoder: FakeDecoder) -> None:
    alone = [run(rows, [prompt])[0] for prompt in PROMPTS]
    assert [len(answer) for answer in alone] == [len(prompt) + 5 for prompt in PROMPTS]
    assert run(rows, PROMPTS) == alone
    assert decoder.most == SEATS


def test_a_row_joins_those_that_run(rows: ContinuousBatcher, decoder: FakeDecoder) -> None:
    alone = [run(rows, [prompt])[0] for prompt in PROMPTS[:2]]
    decoder.gate.clear()
    (first, *_), ended = make(PROMPTS[:1])
    rows.add([first])
    (late, *_), _ = make(PROMPTS[1:2])
    late.ended = ended.put
    rows.add([late])
    decoder.gate.set()
    assert {ended.get(timeout=10), ended.get(timeout=10)} == {first, late}
    assert [first.tokens, late.tokens] == alone


def test_rows_in_the_background_stand_still_for_most_of_the_time_while_others_run(
    rows: ContinuousBatcher, decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = itertools.count()  # a step takes a second
    monkeypatch.setattr("kunnafoni_models.decoding.continuous_batching.monotonic", lambda: next(now_s))
    alone = [run(rows, [prompt])[0] for prompt in PROMPTS]
    decoder.gate.clear()
    decoder.at_gate.clear()
    behind, ended = make(PROMPTS, background=True)
    rows.add(behind)
    assert decoder.at_gate.wait(10)  # all seats of the background are taken
    before, ended_before = make(PROMPTS)
    rows.add(before)
    decoder.steps.clear()
    decoder.gate.set()
    assert {ended_before.get(timeout=10) for _ in before} == set(before)
    steps = "".join(decoder.steps)
    assert {ended.get(timeout=10) for _ in behind} == set(behind)
    assert [row.tokens for row in before] == [row.tokens for row in behind] == alone
    meanwhile = steps[steps.index("f") : steps.rindex("f") + 1]
    assert 0 < meanwhile.count("b") <= len(meanwhile) / 8 + 1


def test_every_hypothesis_of_a_beam_has_a_seat_and_rows_beside_it_have_theirs(
    rows: ContinuousBatcher, decoder: FakeDecoder
) -> None:
    greedy = [run(rows, [prompt])[0] for prompt in PROMPTS]
    searched = [run(rows, [prompt], beam=3)[0] for prompt in PROMPTS]
    assert decoder.most == 1  # prompts are read once
    made, ended = make(PROMPTS)
    wide, ended_wide = make(PROMPTS, beam=3)
    rows.add([row for pair in zip(made, wide, strict=True) for row in pair])
    assert {ended.get(timeout=10) for _ in made} == set(made)
    assert {ended_wide.get(timeout=10) for _ in wide} == set(wide)
    assert [row.tokens for row in made] == greedy
    assert [row.tokens for row in wide] == searched
    assert decoder.most_stepped == SEATS
    assert [len(tokens) for tokens in run(rows, PROMPTS, beam=2, cap=3)] == [3] * len(PROMPTS)


def test_memory_of_long_rows_is_given_back_when_they_leave(
    rows: ContinuousBatcher, decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kunnafoni_models.decoding.kv_cache_slots._KEPT", 10)
    run(rows, [[9]])
    assert decoder.trimmed == []
    run(rows, [[2, 2], [3, 4, 5, 6]])  # the second has 12 tokens when the first leaves its seat to it
    assert decoder.trimmed == [(1, 10), (0, 10)]


def test_a_row_stops_at_its_cap_and_in_a_loop(rows: ContinuousBatcher, decoder: FakeDecoder) -> None:
    assert [len(tokens) for tokens in run(rows, PROMPTS, cap=3)] == [3] * len(PROMPTS)
    decoder.scores = np.eye(VOCABULARY, dtype=np.float32)[7]
    [row], ended = make([[3] * 4], cap=60)
    rows.add([row])
    assert ended.get(timeout=10).capped
    assert len(row.tokens) < 60


def test_the_penalty_counts_what_a_row_has_said_and_nobody_else(rows: ContinuousBatcher, decoder: FakeDecoder) -> None:
    decoder.scores = np.zeros(VOCABULARY, np.float32)
    decoder.scores[[5, 6]] = 10, 9.5
    assert run(rows, [[5], [5, 6]], cap=3) == [[5, 5, 5]] * 2
    # 10 / 1.1 is less than 9.5; once both are said, it is more than 9.5 / 1.1.
    assert run(rows, [[5], [5, 6]], cap=4, penalty=1.1) == [[5, 6, 5, 5]] * 2
    decoder.scores = decoder.scores - 20
    decoder.scores[[5, 6]] = -1, -1.05
    assert run(rows, [[5]], cap=3, penalty=1.1) == [[5, 6, 5]]


def test_prompts_are_read_together_but_not_too_many_and_not_beyond_the_tokens(
    rows: ContinuousBatcher, decoder: FakeDecoder
) -> None:
    decoder.gate.clear()
    made, ended = make([[9] * 25] * 4, cap=25)
    rows.add(made)
    decoder.gate.set()
    for _ in made:
        ended.get(timeout=10)
    assert decoder.read_rows[0] <= 2  # 50 tokens each at worst, of 120
    assert decoder.most == 2


def test_what_a_run_raises_ends_the_rows_that_ran_and_no_later_ones(
    rows: ContinuousBatcher, decoder: FakeDecoder
) -> None:
    [before] = run(rows, PROMPTS[:1])
    decoder.gate.clear()
    decoder.at_gate.clear()
    made, ended = make(PROMPTS[:2])
    rows.add(made)
    assert decoder.at_gate.wait(10)
    decoder.fail = MemoryError("no room to step")
    decoder.gate.set()
    assert {str(ended.get(timeout=10).error) for _ in made} == {"no room to step"}
    assert run(rows, PROMPTS[:1]) == [before]


def test_a_prompt_that_cannot_be_read_costs_those_who_run_nothing(
    rows: ContinuousBatcher, decoder: FakeDecoder
) -> None:
    [before] = run(rows, PROMPTS[:1])
    decoder.gate.clear()
    decoder.at_gate.clear()
    (first, *_), ended = make(PROMPTS[:1])
    rows.add([first])
    assert decoder.at_gate.wait(10)
    (poison, *_), _ = make(PROMPTS[1:2])
    poison.ended = ended.put
    rows.add([poison])
    decoder.fail_read = MemoryError("no room to read")
    decoder.gate.set()
    assert {ended.get(timeout=10), ended.get(timeout=10)} == {first, poison}
    assert (first.tokens, first.error, str(poison.error)) == (before, None, "no room to read")


def test_rows_that_are_over_are_told_though_their_seats_cannot_be_taken(
    rows: ContinuousBatcher, decoder: FakeDecoder
) -> None:
    short, long = [[9]] * 2, [[9] * 9] * 2
    expected = run(rows, short)
    made, ended = make([*short, *long])
    decoder.fail_copy = MemoryError("no room to copy")
    rows.add(made)
    assert {ended.get(timeout=10) for _ in made} == set(made)
    assert [list(row.tokens) for row in made if not row.error] == expected
    assert [str(row.error) for row in made if row.error] == ["no room to copy"] * 2
    assert ended.empty()


def test_memory_that_cannot_be_given_back_ends_nothing(
    rows: ContinuousBatcher, decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("kunnafoni_models.decoding.continuous_batching._REST_AFTER_S", 0.02)
    decoder.fail_forget = MemoryError()
    [before] = run(rows, PROMPTS[:1])
    assert decoder.forgot.wait(10)
    assert run(rows, PROMPTS[:1]) == [before]
    assert [record.message for record in caplog.records] == ["memory of a model at rest cannot be given back"]


def test_closing_ends_whatever_runs_or_waits(decoder: FakeDecoder) -> None:
    rows = ContinuousBatcher(decoder, end=END, seats=SEATS, positions=POSITIONS, max_tokens=120)
    decoder.gate.clear()
    made, ended = make(PROMPTS)
    rows.add(made)
    closing = threading.Thread(target=rows.close)
    closing.start()
    decoder.gate.set()
    closing.join(10)
    ends = [ended.get(timeout=10) for _ in made]
    assert {str(row.error) for row in ends if row.error} == {"the model was closed"}
    rows.close()
    with pytest.raises(RuntimeError, match="closed"):
        rows.add(make(PROMPTS)[0])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_leaves_nobody_waiting(rows: ContinuousBatcher, decoder: FakeDecoder) -> None:
    decoder.fail = SystemExit()
    with pytest.raises(RuntimeError, match="closed"):
        run(rows, PROMPTS)
    with pytest.raises(RuntimeError, match="closed"):
        rows.add(make(PROMPTS)[0])


def test_a_row_that_no_seat_can_keep_is_refused(rows: ContinuousBatcher) -> None:
    with pytest.raises(ValueError, match="up to 80 tokens and a seat keeps 64"):
        rows.add(make([[3] * 60])[0])
    with pytest.raises(ValueError, match="5 hypotheses and there are 4 seats"):
        rows.add(make([[3]], beam=5)[0])


def test_what_the_seats_keep_is_given_back_at_rest(
    rows: ContinuousBatcher, decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kunnafoni_models.decoding.continuous_batching._REST_AFTER_S", 0.02)
    run(rows, PROMPTS)
    assert decoder.forgot.wait(10)
    run(rows, PROMPTS)


def test_what_seats_keep_is_given_back_when_only_the_others_run(
    rows: ContinuousBatcher, decoder: FakeDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = itertools.count()
    monkeypatch.setattr("kunnafoni_models.decoding.continuous_batching.monotonic", lambda: next(now_s))
    run(rows, PROMPTS[:1])
    assert decoder.freed == []
    run(rows, PROMPTS[:1], background=True)
    assert decoder.freed == [(0, SEATS)]
    decoder.fail_forget = MemoryError()
    run(rows, PROMPTS[:1])
    assert decoder.freed == [(0, SEATS)]
    run(rows, PROMPTS[:1], background=True)
    assert decoder.freed == [(0, SEATS)] * 2
