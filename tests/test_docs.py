"""README and docs keep their word: commands run, code runs, links lead somewhere, tables are those of the code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from kunnafoni.app.model_loading import make_engines
from kunnafoni.config import Settings
from kunnafoni.errors import KunnafoniError
from kunnafoni.translation.model_pool import ModelPool
from kunnafoni.v1 import job_pb2, model_pb2, summarization_pb2, translation_pb2
from kunnafoni_models import registry

if TYPE_CHECKING:
    from kunnafoni.cli.local_server import LocalServer

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
TEXTS = {str(page.relative_to(ROOT)): page.read_text("utf-8") for page in PAGES}
KUNNAFONI = re.compile(r"(?:\.venv/bin/)?\bkunnafoni (?=[a-z])")


def blocks(language: str) -> list[tuple[str, str]]:
    """The fenced blocks of a language in all pages, each with the name of its page."""
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [(name, block) for name, text in TEXTS.items() for block in fence.findall(text)]


def commands() -> list[tuple[str, str]]:
    """The lines of the `sh` blocks; a backslash at a line's end joins the next one."""
    return [
        (name, line) for name, block in blocks("sh") for line in block.replace("\\\n", "").splitlines() if line.strip()
    ]


@pytest.mark.parametrize(("page", "command"), commands())
def test_commands_run(embedded: LocalServer, tmp_path: Path, page: str, command: str) -> None:
    (tmp_path / "service").symlink_to(ROOT / "service")
    here = KUNNAFONI.sub(f"{sys.executable} -m kunnafoni ", command)
    environment = {**os.environ, "KUNNAFONI_SERVER": embedded.address, "TMPDIR": str(tmp_path)}
    result = subprocess.run(  # noqa: S602 - the lines are a shell's
        here, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert result.returncode == 0, (page, result.stderr)
    assert result.stdout.strip() or list(tmp_path.glob("*.html")), page


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_runs(embedded: LocalServer, page: str, code: str) -> None:
    here = code.replace("localhost:50051", embedded.address)
    result = subprocess.run(
        [sys.executable, "-c", here], cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
    )
    assert result.returncode == 0, (page, result.stderr)
    assert result.stdout.strip(), page


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
@pytest.mark.parametrize(("page", "code"), blocks("js"))
def test_node_runs(embedded: LocalServer, tmp_path: Path, page: str, code: str) -> None:
    (tmp_path / "protos").symlink_to(ROOT / "protos")
    install = ["npm", "install", "--no-audit", "--no-fund", "@grpc/grpc-js@1", "@grpc/proto-loader@0.8"]
    if subprocess.run(install, cwd=tmp_path, capture_output=True, timeout=120, check=False).returncode:
        pytest.skip("npm could not install @grpc/grpc-js: no network?")
    (tmp_path / "example.js").write_text(code.replace("localhost:50051", embedded.address), "utf-8")
    result = subprocess.run(
        ["node", "example.js"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 0, (page, result.stderr)
    assert result.stdout.strip(), page


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", TEXTS[page]):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_readme_can_be_read_in_two_minutes() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= 150


def test_every_make_target_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for text in TEXTS.values():
        for target in re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)`", text, re.MULTILINE):
            assert re.search(rf"^{target[0] or target[1]}:", makefile, re.MULTILINE), target


def test_every_rpc_is_listed() -> None:
    for file in (translation_pb2, summarization_pb2, job_pb2, model_pb2):
        for service in file.DESCRIPTOR.services_by_name.values():
            assert f"`{service.name}`" in TEXTS["docs/api.md"]
            for method in service.methods:
                assert f"`{method.name}`" in TEXTS["docs/api.md"], method.full_name


def test_every_reason_that_a_server_gives_is_listed() -> None:
    elsewhere = {"UNKNOWN", "UNREACHABLE", "CANCELLED", "RAY", "UNAUTHENTICATED", "PERMISSION_DENIED"}
    kinds = [KunnafoniError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    reasons = {kind.reason for kind in kinds[1:]} - elsewhere
    assert len(reasons) > 10
    assert [reason for reason in reasons if f"`{reason}`" not in TEXTS["docs/api.md"]] == []


@pytest.mark.parametrize(("page", "text"), blocks("toml"))
def test_settings_are_right(page: str, text: str) -> None:
    settings = Settings(**tomllib.loads(text))
    assert set(settings.models) < set(settings.models_to_load), page
    assert set(settings.models_to_load) <= registry.catalog().keys()
    engines = make_engines(settings)
    ModelPool(registry.catalog(), engines, routes=settings.routes, summaries=settings.summaries)


def test_every_setting_is_listed_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        value = field.default
        shown = "" if value is None else ", ".join(cast("tuple[str, ...]", value)) if name == "models" else f"{value}"
        assert f"| `{name}` | {shown} | {field.description} |" in TEXTS["docs/configuration.md"], name


def test_the_systemd_unit_can_be_enabled() -> None:
    unit = (ROOT / "deploy/systemd/kunnafoni.service").read_text("utf-8")
    assert re.findall(r"^\[(\w+)\]$", unit, re.MULTILINE) == ["Unit", "Service", "Install"]
    assert "WantedBy=multi-user.target" in unit
