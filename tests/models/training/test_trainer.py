"""Runs of the trainer on a tiny checkpoint: that they learn, end, and say what is wrong."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch

from kunnafoni_models.backend import ModelFileError
from kunnafoni_models.training import precision
from kunnafoni_models.training.corpus import Row
from kunnafoni_models.training.errors import CheckpointError, DivergedError, OptionsError, RowsError, StartError
from kunnafoni_models.training.evaluation import Evaluation
from kunnafoni_models.training.int8_grid import dithered, on_grid
from kunnafoni_models.training.loss import OutputHead
from kunnafoni_models.training.trainer import train
from kunnafoni_models.training.typed_torch import backward
from kunnafoni_models.training.weights import read_weights
from tests.models.tiny_checkpoints import tiny
from tests.models.training.runs import DEV, QUICK, ROWS, run, tensors

if TYPE_CHECKING:
    from pathlib import Path

    from kunnafoni_models.training.model import TrainedModel
    from kunnafoni_models.training.progress import Outcome, Progress

EMBEDDING = "model.embed_tokens.weight"


def test_it_learns_and_tells(tmp_path: Path, checkpoint: Path) -> None:
    told: list[Progress] = []
    outcome = run(checkpoint, tmp_path / "run", on_progress=told.append)
    assert (outcome.finished, outcome.steps, outcome.rows, outcome.precision) == (True, 20, len(ROWS), "float32")
    assert all(outcome.dev_after[task] < 0.8 * outcome.dev_before[task] for task in ("en>fr", "fr>en"))
    assert [progress.step for progress in told] == list(range(21))
    assert (told[0].dev, told[0].loss, told[-1].dev) == (outcome.dev_before, None, outcome.dev_after)
    assert told[-1].share == 1.0
    assert [progress.on_int8_grid for progress in told].index(True) == 13
    assert 0 < told[-1].rate < told[5].rate <= 1


def test_the_new_rows_of_the_vocabulary_have_a_rate_of_their_own(tmp_path: Path, checkpoint: Path) -> None:
    run(checkpoint, tmp_path / "run", new_rows=200, learning_rate=1e-7, new_row_learning_rate=1e-2, steps=5)
    moved = (tensors(tmp_path / "run")[EMBEDDING] - read_weights(checkpoint).tensors[EMBEDDING]).abs().amax(1)
    assert moved[:-200].max() < 1e-5
    assert moved[-200:].max() > 1e-3
    with pytest.raises(OptionsError, match="new_rows is 100000, but there are"):
        run(checkpoint, tmp_path / "other", new_rows=100_000)


def test_a_penalty_keeps_weights_near_their_start(tmp_path: Path, checkpoint: Path) -> None:
    start = read_weights(checkpoint).tensors[EMBEDDING]
    moved: list[float] = []
    for folder, weight in (("free", 0.0), ("held", 100.0)):
        run(checkpoint, tmp_path / folder, anchor_weight=weight)
        moved.append((tensors(tmp_path / folder)[EMBEDDING] - start).square().sum().item())
    assert moved[1] < 0.5 * moved[0]


def test_dropout_and_smoothing_learn_less_by_heart(tmp_path: Path, checkpoint: Path) -> None:
    told: dict[str, list[Progress]] = {"plain": [], "dropout": [], "smoothing": []}
    for name, told_here in told.items():
        dropout, smoothing = 0.3 * (name == "dropout"), 0.3 * (name == "smoothing")
        options = replace(QUICK, steps=40, dropout=dropout, label_smoothing=smoothing)
        outcome = train(
            ROWS, start=checkpoint, out=tmp_path / name, options=options, dev_rows=DEV, on_progress=told_here.append
        )
        assert outcome.dev_after["en>fr"] < 0.8 * outcome.dev_before["en>fr"], name
    plain = told["plain"]
    assert told["smoothing"][1].loss == plain[1].loss  # losses are told without it
    for name in ("dropout", "smoothing"):
        assert (told[name][-1].loss or 0) > 1.02 * (plain[-1].loss or 0), name


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_head_has_the_gradients_of_torch(smoothing: float) -> None:
    draw = torch.Generator().manual_seed(0)
    hidden, embedding = (torch.randn(rows, 8, generator=draw).requires_grad_() for rows in (300, 20))
    targets = torch.randint(20, (300,), generator=draw)
    logits = hidden @ embedding.T
    mean = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing)
    backward(mean, torch.ones(()))
    padded = torch.cat([embedding.detach(), torch.zeros(4, 8)])
    head = OutputHead(padded, vocabulary=20, most_targets=300, smoothing=smoothing, compile=False)
    into = torch.empty(20, 8)
    loss, gradient = head.loss_and_gradients(hidden.detach(), targets, into=into)
    assert torch.allclose(loss, torch.nn.functional.cross_entropy(logits, targets), atol=1e-6)
    assert hidden.grad is not None
    assert torch.allclose(gradient, hidden.grad, atol=1e-6)
    assert embedding.grad is not None
    assert torch.allclose(into, embedding.grad, atol=1e-6)


def test_what_is_dropped_follows_from_seed_and_step(tmp_path: Path, checkpoint: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    run(checkpoint, whole, dropout=0.3, steps=10)
    seen: list[Progress] = []
    run(checkpoint, halves, dropout=0.3, steps=10, on_progress=seen.append, should_stop=lambda: len(seen) > 5)
    run(checkpoint, halves, dropout=0.3, steps=10, resume=True)
    assert all(torch.equal(part, tensors(halves)[name]) for name, part in tensors(whole).items())
    run(checkpoint, tmp_path / "other", dropout=0.3, steps=10, seed=1)
    assert not torch.equal(tensors(whole)[EMBEDDING], tensors(tmp_path / "other")[EMBEDDING])


def test_a_mean_of_start_and_end_is_kept_once(tmp_path: Path, checkpoint: Path) -> None:
    start = read_weights(checkpoint).tensors
    run(checkpoint, tmp_path / "whole")
    whole = tensors(tmp_path / "whole")
    for _ in range(2):  # the second finds a finished run
        outcome = run(checkpoint, tmp_path / "part", kept=0.25, resume=True)
        assert outcome.kept == 0.25
        for name, part in tensors(tmp_path / "part").items():
            assert torch.allclose(part, start[name] + 0.25 * (whole[name] - start[name]), atol=1e-6), name


def test_a_change_of_low_rank_leaves_the_embedding(tmp_path: Path, checkpoint: Path) -> None:
    options: dict[str, Any] = {"low_rank": 2, "learning_rate": 3e-2, "steps": 40, "int8_share": 0.0}
    outcome = run(checkpoint, tmp_path / "run", **options)
    assert all(outcome.dev_after[task] < 0.99 * outcome.dev_before[task] for task in ("en>fr", "fr>en"))
    start, after = read_weights(checkpoint).tensors, tensors(tmp_path / "run")
    assert torch.equal(after[EMBEDDING], start[EMBEDDING])
    name = "model.layers.0.mlp.up_proj.weight"
    change = cast("Any", torch.linalg).svdvals(after[name] - start[name])
    assert change[1] > 1e-4
    assert change[2] < 1e-5
    asked = iter([False] * 25 + [True])
    run(checkpoint, tmp_path / "resumed", should_stop=lambda: next(asked), **options)
    run(checkpoint, tmp_path / "resumed", resume=True, **options)
    resumed = tensors(tmp_path / "resumed")
    assert all(torch.equal(part, resumed[key]) for key, part in after.items())
    weights = read_weights(checkpoint)
    others = replace(weights, tensors={key: 2 * part for key, part in weights.tensors.items()})
    with pytest.raises(CheckpointError, match="made with other weights"):
        run(others, tmp_path / "resumed", resume=True, **options)


def test_the_share_of_a_change_is_kept_that_gets_most_held_out_tokens_right(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(name: str, counts: list[int], *, resume: bool = False) -> Outcome:
        """A run that is told these numbers of right tokens, one for each share that it tries."""

        def given(*_: object) -> int:
            return counts.pop(0)

        monkeypatch.setattr(Evaluation, "right", given)
        return run(checkpoint, tmp_path / name, resume=resume, low_rank=4, learning_rate=0.05)

    whole = trained("whole", [1, 2, 3, 4, 5, 6, 7])
    part = trained("part", [1, 2, 3, 9, 5, 9, 7])
    assert (whole.kept, part.kept) == (1.0, 0.7)  # of two that are as good the smaller one
    assert part.dev_after != whole.dev_after
    again = trained("part", [], resume=True)
    assert (again.kept, again.dev_after) == (part.kept, pytest.approx(part.dev_after))
    start = read_weights(checkpoint).tensors
    whole_end, part_end = tensors(tmp_path / "whole"), tensors(tmp_path / "part")
    assert any(not torch.equal(whole_end[name], start[name]) for name in start)
    for name, begun in start.items():
        wanted = begun.float() + 0.7 * (whole_end[name].float() - begun.float())
        assert torch.allclose(part_end[name].float(), wanted, rtol=1e-2, atol=1e-4), name


def test_tokens_are_right_that_the_model_predicts(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    count = Evaluation.right

    def counted(evaluation: Evaluation, model: TrainedModel) -> int:
        counts.append(count(evaluation, model))
        return counts[-1]

    monkeypatch.setattr(Evaluation, "right", counted)
    shares = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    learnt = run(checkpoint, tmp_path / "learnt", low_rank=4, learning_rate=0.02, steps=80)
    assert learnt.kept == shares[counts.index(max(counts))]
    most, counts[:] = max(counts), []
    run(checkpoint, tmp_path / "hardly", low_rank=4, learning_rate=1e-6, steps=1)
    assert max(counts) < most / 2


def test_a_start_on_the_grid_is_moved_to_where_a_small_change_is_seen() -> None:
    matrix = on_grid(torch.randn(50, 40, generator=torch.Generator().manual_seed(1)))
    moved = dithered(matrix, torch.Generator().manual_seed(2))
    steps = matrix.abs().amax(1, keepdim=True) / 127
    assert torch.allclose(on_grid(moved), matrix, atol=1e-6)
    assert ((moved - matrix) / steps).abs().max() <= 0.5
    assert ((moved - matrix) / steps).std() > 0.25
    inside = matrix.abs() < 100 * steps
    change = torch.where(inside, 0.2 * steps, 0.0)
    assert torch.allclose(on_grid(matrix + change), matrix, atol=1e-6)
    seen = ((on_grid(moved + change) - matrix) / steps)[inside].mean()
    assert seen == pytest.approx(0.2, abs=0.05)
    assert torch.equal(dithered(matrix * 0.99 + 1e-3, torch.Generator()), matrix * 0.99 + 1e-3)


def test_it_stops_when_asked_and_at_the_end_of_its_time(tmp_path: Path, checkpoint: Path) -> None:
    asked = iter([False] * 3 + [True])
    stopped = run(checkpoint, tmp_path / "stopped", should_stop=lambda: next(asked))
    assert (stopped.finished, stopped.steps) == (False, 3)
    timed = run(checkpoint, tmp_path / "timed", steps=None, minutes=0.002)
    assert timed.finished
    assert timed.seconds > 0.1


def test_it_stops_after_so_many_times_through_the_rows(tmp_path: Path, checkpoint: Path) -> None:
    once = run(checkpoint, tmp_path / "once", steps=None, epochs=1.0)
    assert once.finished
    # A row of weight 0.5 is taken every other time.
    assert once.tokens == pytest.approx(run(checkpoint, tmp_path / "half", steps=None, epochs=0.5).tokens * 2, rel=0.1)
    assert run(checkpoint, tmp_path / "twice", steps=None, epochs=2.0).steps == 2 * once.steps
    assert run(checkpoint, tmp_path / "nearest", steps=3, epochs=2.0).steps == 3


def test_bfloat16_is_for_machines_that_have_it(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {torch.float32: 1.0, torch.bfloat16: 0.9}
    monkeypatch.setattr(precision, "_product_s", seconds.__getitem__)
    assert run(checkpoint, tmp_path / "run", precision="auto", steps=2).precision == "float32"
    seconds[torch.bfloat16] = 0.3
    assert run(checkpoint, tmp_path / "other", precision="auto", steps=2).precision == "bfloat16"
    # A run goes on in the format that it began with.
    assert run(checkpoint, tmp_path / "run", precision="auto", steps=3, resume=True).precision == "float32"


def test_bfloat16_learns_the_same(tmp_path: Path, checkpoint: Path) -> None:
    exact = run(checkpoint, tmp_path / "float32").dev_after
    rough = run(checkpoint, tmp_path / "bfloat16", precision="bfloat16").dev_after
    assert rough == pytest.approx(exact, rel=0.05)


def test_a_run_that_diverges_keeps_its_last_sound_checkpoint(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(DivergedError, match="at a lower rate"):
        run(checkpoint, tmp_path / "run", learning_rate=1e18, floor=1.0)
    assert all(tensor.isfinite().all() for tensor in tensors(tmp_path / "run").values())


def test_rows_that_cannot_be_trained_on(tmp_path: Path, checkpoint: Path) -> None:
    long = Row("en>fr", 1.0, "word " * 300, "mot")
    assert run(checkpoint, tmp_path / "run", rows=[*ROWS, long], steps=1).rows_too_long == 1
    with pytest.raises(RowsError, match="of 1 rows none has at most 256 tokens"):
        run(checkpoint, tmp_path / "other", rows=[long])
    with pytest.raises(RowsError, match="'en>de' is none of the model's, whose languages are bm, en, fr"):
        run(checkpoint, tmp_path / "other", rows=[Row("en>de", 1.0, "The river", "Der Fluss")])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"steps": 0}, "steps is 0 and must be greater than 0"),
        ({"floor": 1.5}, "floor is 1.5 and must be between 0 and 1"),
        ({"seed": -1}, "seed is -1 and must be a number from 0 up"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"schedule": "linear"}, "schedule is 'linear' and must be one of"),
        ({"max_tokens": 8192}, "the longest row must fit into a batch"),
        ({"low_rank": 4, "anchor_weight": 1.0}, "low_rank goes neither with new_rows nor with anchor_weight"),
        ({"low_rank": 4, "kept": 0.5}, "nor with kept, which it finds"),
        ({"dropout": 1}, "dropout is 1 and would drop everything"),
        ({"label_smoothing": 1.1}, "label_smoothing is 1.1 and must be between 0 and 1"),
        ({"steps": None}, "needs an end: give minutes, steps or epochs"),
    ],
)
def test_options_out_of_range(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionsError, match=says):
        replace(QUICK, **changes)


def test_starts_that_are_none(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(StartError, match="model_type 't5'; only 'gemma3_text' can be trained"):
        run(tiny("t5", tmp_path / "t5"), tmp_path / "run")
    with pytest.raises(ModelFileError, match=r"config\.json is missing"):
        run(tmp_path, tmp_path / "run")
    changed = tmp_path / "changed"
    shutil.copytree(checkpoint, changed)
    config = json.loads((changed / "config.json").read_text())
    for change, says in (
        ({"intermediate_size": 64}, r"has shape \(48, 32\) and should have \(64, 32\)"),
        ({"num_hidden_layers": 1, "layer_types": ["full_attention"]}, "which the architecture has not"),
        ({"query_pre_attn_scalar": 4}, "does not scale its attention"),
    ):
        (changed / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(StartError, match=says):
            run(changed, tmp_path / "run")
    (changed / "config.json").write_text(json.dumps(config))
    weights = (changed / "model.safetensors").read_bytes()
    (changed / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelFileError, match="is damaged: copy the checkpoint again"):
        run(changed, tmp_path / "run")
    assert not (tmp_path / "run").exists()
