"""The checkpoint that the tests of training start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.models.tiny_checkpoints import tiny

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Gemma 3; not to be changed."""
    return tiny("gemma3", tmp_path_factory.mktemp("start") / "checkpoint")
