"""`models import OWNER/NAME`, as a person types it, from a hub on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kunnafoni_models import registry
from tests.models.fake_hub import COMMIT, CONVERSION, fake_hub
from tests.models.tiny_checkpoints import tiny

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Hub = tuple[str, list[str]]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with one checkpoint three times: whole, with a pickle and nothing else, and with a pickle besides."""
    folder = tmp_path_factory.mktemp("hub")
    whole = tiny("nllb", folder / "whole")
    pickled, both = folder / "pickled", folder / "both"
    shutil.copytree(whole, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    shutil.copytree(whole, both)
    (both / "pytorch_model.bin").write_bytes(b"never to be fetched")
    empty = folder / "empty"
    empty.mkdir()
    (empty / "README.md").write_text("---\nlicense: mit\n---\n", "utf-8")
    names = {"someone/whole": whole, "someone/pickled": pickled, "someone/both": both, "someone/empty": empty}
    names["Helsinki-NLP/opus-mt-en-fr"] = tiny("marian", folder / "marian")
    with fake_hub(names) as served:
        yield served


def import_(
    tmp_path: Path, hub_id: str, endpoint: str, *more: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kunnafoni", "models", "import", hub_id, "--as", "fetched"]
    return subprocess.run(
        [*command, "--models-dir", str(tmp_path / "models"), *more],
        env={**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "cache"), **environment},
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def refused(done: subprocess.CompletedProcess[str], tmp_path: Path, *words: str) -> None:
    """It ended with 1, said why in so many words and without a trace, and left nothing behind."""
    assert done.returncode == 1, done.stderr
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "models").exists()


def test_a_checkpoint_is_fetched_by_name(tmp_path: Path, hub: Hub) -> None:
    endpoint, asked = hub
    asked.clear()
    done = import_(tmp_path, "someone/both", endpoint)
    assert done.returncode == 0, done.stderr
    assert "model.safetensors" in asked
    assert "pytorch_model.bin" not in asked
    entry = registry.catalog([tmp_path / "models"])["fetched"]
    assert (entry.base, entry.revision) == ("someone/both", COMMIT)
    assert entry.licence.name == "apache-2.0"


def test_the_catalog_knows_the_revision_with_safetensors(tmp_path: Path, hub: Hub) -> None:
    endpoint, asked = hub
    asked.clear()
    done = import_(tmp_path, "Helsinki-NLP/opus-mt-en-fr", endpoint)
    assert done.returncode == 0, done.stderr
    assert CONVERSION in asked
    assert "main" not in asked
    assert registry.catalog([tmp_path / "models"])["fetched"].quality


def test_a_pickle_is_refused_before_anything_is_fetched(tmp_path: Path, hub: Hub) -> None:
    endpoint, asked = hub
    asked.clear()
    done = import_(tmp_path, "someone/pickled", endpoint)
    refused(done, tmp_path, "someone/pickled", "pytorch_model.bin", "--allow-unsafe", "--revision")
    assert not {"pytorch_model.bin", "config.json"} & set(asked)


@pytest.mark.parametrize(
    ("hub_id", "more", "words"),
    [
        ("someone/nothing", [], ["someone/nothing cannot be fetched"]),
        ("someone/whole", ["--revision", "v9"], ["someone/whole cannot be fetched", "revision"]),
        ("someone/empty", [], ["someone/empty has no weights", "README.md"]),
    ],
)
def test_what_the_hub_does_not_have(tmp_path: Path, hub: Hub, hub_id: str, more: list[str], words: list[str]) -> None:
    refused(import_(tmp_path, hub_id, hub[0], *more), tmp_path, *words)


@pytest.mark.parametrize("environment", [{"HF_HUB_OFFLINE": "1"}, {}], ids=["offline by a variable", "no connection"])
def test_no_way_to_the_hub(tmp_path: Path, environment: dict[str, str]) -> None:
    done = import_(tmp_path, "someone/whole", "http://localhost:1", **environment)
    refused(done, tmp_path, "someone/whole cannot be fetched", "network", "give its folder")
