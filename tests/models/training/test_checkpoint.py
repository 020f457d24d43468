"""Runs that are stopped, killed or short of disk, and go on."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import torch

from kunnafoni_models.training.errors import CheckpointError
from tests.models.tiny_checkpoints import gemma3
from tests.models.training.runs import ROWS, run, tensors

if TYPE_CHECKING:
    from pathlib import Path

    from kunnafoni_models.training.progress import Outcome, Progress

# Saves after every step and says so; slowly enough that a kill finds it anywhere between two steps.
PROCESS = """
import sys, time
from pathlib import Path
from tests.models.training.runs import run

def tell(progress):
    print(progress.step, flush=True)
    time.sleep(0.02)

run(Path(sys.argv[1]), Path(sys.argv[2]), resume=True, on_progress=tell)
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    return folder, run(checkpoint, folder)


def same_weights(one: Path, other: Path) -> bool:
    found = tensors(other)
    return all(torch.equal(tensor, found[name]) for name, tensor in tensors(one).items())


def test_a_resumed_run_is_an_undisturbed_one(
    tmp_path: Path, checkpoint: Path, undisturbed: tuple[Path, Outcome]
) -> None:
    folder, whole = undisturbed
    out = tmp_path / "run"
    told: list[Progress] = []
    # Once before the weights go onto the int8 grid and once after.
    for stop in (7, 15):
        outcome = run(
            checkpoint, out, resume=True, on_progress=told.append, should_stop=lambda stop=stop: told[-1].step == stop
        )
        assert (outcome.finished, outcome.steps) == (False, stop)
    outcome = run(checkpoint, out, resume=True, on_progress=told.append)
    assert [progress.step for progress in told] == [*range(8), *range(7, 16), *range(15, 21)]
    assert (outcome.tokens, outcome.dev_before) == (whole.tokens, whole.dev_before)
    assert outcome.dev_after == whole.dev_after
    assert same_weights(folder, out)


def test_a_killed_process_costs_what_was_not_saved(
    tmp_path: Path, checkpoint: Path, undisturbed: tuple[Path, Outcome]
) -> None:
    out, told = tmp_path / "run", -1
    for kill_after in sorted(random.sample(range(1, 19), 2)):
        command = [sys.executable, "-c", PROCESS, str(checkpoint), str(out)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            first = int(process.stdout.readline())
            # The step that was told last may have been killed before it was saved; the one before was not.
            assert first >= told - 1
            told = first
            while told < kill_after:
                told = int(process.stdout.readline())
            with suppress(subprocess.TimeoutExpired):
                process.wait(random.uniform(0, 0.03))
            process.kill()
            told = max([told, *map(int, process.stdout.read().split())])
    outcome = run(checkpoint, out, resume=True)
    folder, whole = undisturbed
    assert (outcome.steps, outcome.dev_after) == (20, whole.dev_after)
    assert same_weights(folder, out)


def test_a_full_disk_leaves_the_checkpoint_before(
    tmp_path: Path, checkpoint: Path, undisturbed: tuple[Path, Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    asked = iter([False] * 5 + [True])
    run(checkpoint, out, should_stop=lambda: next(asked))
    before = (out / "state.safetensors").read_bytes()
    usage = shutil.disk_usage(out)._replace(free=100)

    def full(_: Path) -> Any:
        return usage

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", full)
        with pytest.raises(CheckpointError, match=r"the disk is full: .* make room and go on from there"):
            run(checkpoint, out, resume=True)
    assert (out / "state.safetensors").read_bytes() == before
    assert sorted(path.name for path in out.iterdir()) == ["parent.toml", "state.safetensors", "tokenizer.json"]
    run(checkpoint, out, resume=True)
    assert same_weights(undisturbed[0], out)


def test_checkpoints_that_do_not_fit(tmp_path: Path, checkpoint: Path) -> None:
    out = tmp_path / "run"
    run(checkpoint, out, steps=2)
    kept = (out / "state.safetensors").read_bytes()
    gemma3(tmp_path / "other", key_heads=2)
    with pytest.raises(CheckpointError, match="made with a model of another shape: start in another folder"):
        run(tmp_path / "other", out, resume=True)
    with pytest.raises(CheckpointError, match="made with other rows"):
        run(checkpoint, out, resume=True, rows=ROWS[:50])
    with pytest.raises(CheckpointError, match="made with batch_tokens 512"):
        run(checkpoint, out, resume=True, batch_tokens=1024)
    with pytest.raises(CheckpointError, match="holds a run already: go on with --resume"):
        run(checkpoint, out)
    assert (out / "state.safetensors").read_bytes() == kept
    (out / "state.safetensors").write_bytes(kept[:1000])
    with pytest.raises(CheckpointError, match=r"state\.safetensors is damaged"):
        run(checkpoint, out, resume=True)
    with pytest.raises(CheckpointError, match=r"the folder of the run cannot be made"):
        run(checkpoint, out / "tokenizer.json" / "run")


def test_another_schedule_starts_its_clock_anew(tmp_path: Path, checkpoint: Path) -> None:
    out = tmp_path / "run"
    told: list[Progress] = []
    endless = run(checkpoint, out, steps=4, schedule="constant")
    assert (endless.finished, endless.steps) == (True, 4)
    assert run(checkpoint, out, steps=6, schedule="decay", resume=True, on_progress=told.append).steps == 10
    assert (told[0].share, told[-1].share) == (0.0, 1.0)
