"""A program that starts itself anew with the allocator's settings: once, as it was called, and only if nobody minds."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import os, sys
from kunnafoni_models.training import heap
print("began", flush=True)
heap.settle(sys.argv[1])
print(os.environ.get("MALLOC_ARENA_MAX"), *sys.argv[1:], sys.flags.utf8_mode)
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")


def said(folder: Path, *command: str, **environment: str) -> list[str]:
    """What the program says; it lies in `folder` as a file and as a package."""
    (folder / "program").mkdir()
    (folder / "program" / "__main__.py").write_text(PROGRAM)
    (folder / "kunnafoni").write_text(PROGRAM)
    full = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run(
        [sys.executable, "-X", "utf8", *command],
        cwd=folder,
        env={**full, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


def test_it_starts_anew_once_with_its_arguments(tmp_path: Path) -> None:
    assert said(tmp_path, "kunnafoni", "kunnafoni", "b c") == ["began", "began", "1 kunnafoni b c 1"]


def test_it_finds_a_package_by_its_folder(tmp_path: Path) -> None:
    assert said(tmp_path, "-m", "program", "program") == ["began", "began", "1 program 1"]


def test_it_leaves_other_programs_alone(tmp_path: Path) -> None:
    assert said(tmp_path, "kunnafoni", "another") == ["began", "None another 1"]


def test_it_leaves_the_user_s_own_settings_alone(tmp_path: Path) -> None:
    assert said(tmp_path, "kunnafoni", "kunnafoni", MALLOC_ARENA_MAX="2") == ["began", "2 kunnafoni 1"]
