"""The README keeps its word: its commands run, its Python runs, its tables are those of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from kunnafoni.config import Settings
from kunnafoni.errors import KunnafoniError
from kunnafoni.rpc.run import make_engines
from kunnafoni.translation.model_pool import ModelPool
from kunnafoni.v1 import job_pb2, model_pb2, summarization_pb2, translation_pb2
from kunnafoni_models import registry

if TYPE_CHECKING:
    from kunnafoni.cli.local_server import LocalServer

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("command", commands())
def test_commands_run(embedded: LocalServer, tmp_path: Path, command: str) -> None:
    here = command.replace(".venv/bin/kunnafoni", f"{sys.executable} -m kunnafoni")
    environment = {**os.environ, "KUNNAFONI_SERVER": embedded.address, "TMPDIR": str(tmp_path)}
    result = subprocess.run(  # noqa: S602 - the README's lines are a shell's
        here, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs(embedded: LocalServer, code: str) -> None:
    here = code.replace("localhost:50051", embedded.address)
    result = subprocess.run(
        [sys.executable, "-c", here], cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


def test_every_make_target_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_rpc_is_listed() -> None:
    for file in (translation_pb2, summarization_pb2, job_pb2, model_pb2):
        for service in file.DESCRIPTOR.services_by_name.values():
            assert f"`{service.name}`" in README
            for method in service.methods:
                assert f"`{method.name}`" in README, method.full_name


def test_every_reason_that_a_server_gives_is_listed() -> None:
    elsewhere = {"UNKNOWN", "UNREACHABLE", "CANCELLED", "RAY", "UNAUTHENTICATED", "PERMISSION_DENIED"}
    kinds = [KunnafoniError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    reasons = {kind.reason for kind in kinds[1:]} - elsewhere
    assert len(reasons) > 10
    assert [reason for reason in reasons if f"`{reason}`" not in README] == []


@pytest.mark.parametrize("text", blocks("toml"))
def test_settings_are_right(text: str) -> None:
    settings = Settings(**tomllib.loads(text))
    assert set(settings.models) < set(settings.models_to_load)
    assert set(settings.models_to_load) <= registry.catalog().keys()
    engines = make_engines(settings)
    ModelPool(registry.catalog(), engines, routes=settings.routes, summaries=settings.summaries)


def test_every_setting_is_listed_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        value = field.default
        shown = "" if value is None else ", ".join(cast("tuple[str, ...]", value)) if name == "models" else f"{value}"
        assert f"| `{name}` | {shown} | {field.description} |" in README, name
