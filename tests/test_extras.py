"""A package that is not installed is named with the extra that brings it, and only by what needs it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kunnafoni_models.extras import MissingExtraError, needs_extra

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
# What a server on the embedded model can do without, whoever brings it.
OPTIONAL = {
    *("torch", "transformers", "safetensors", "ctranslate2", "sentencepiece"),
    *("trafilatura", "lxml", "psycopg", "ray", "pyarrow", "sacrebleu", "rouge_score"),
}
SERVER_ONLY = {"numpy", "onnxruntime", "tokenizers", "sentencex", "sqlalchemy", "alembic", "prometheus_client"}
TERMINAL = {"typer", "rich", "pydantic_settings"}
# Ray has copies of these, which it takes where they are not installed.
RAYS_OWN = {"psutil", "colorama"}
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def run_without(packages: set[str], program: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `program` in a Python that does not find some packages."""
    code = WITHOUT.format(packages=packages) + program
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def command_without(packages: set[str], *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `kunnafoni` likewise."""
    return run_without(packages, "from kunnafoni.__main__ import main; main()", *arguments, **options)


@pytest.mark.parametrize(
    ("packages", "arguments", "extra"),
    [
        (TERMINAL, ["--version"], "cli"),
        (SERVER_ONLY, ["serve"], "server"),
        (OPTIONAL, ["serve", "--address", "localhost:0", "--model", "opus-mt-en-fr"], "ctranslate2"),
        (OPTIONAL, ["summarize", "page.html", "--to", "fr"], "documents"),
        (OPTIONAL, ["evaluate", "--from", "en", "--to", "fr", "--model", "echo", "--tsv", "memory.tsv"], "evaluate"),
        (OPTIONAL, ["jobs", "run-ray", "page.html", "out", "--to", "fr"], "ray"),
        (OPTIONAL, ["models", "import", ".", "--as", "new", "--models-dir", "models.d"], "transformers"),
        (OPTIONAL, ["models", "train", "recipe.toml", "--out", "out"], "train"),
        (OPTIONAL, ["models", "adapt", "memory.tsv", "--as", "new", "--models-dir", "models.d"], "train"),
    ],
)
def test_a_command_names_the_extra_that_it_lacks(
    tmp_path: Path, packages: set[str], arguments: Sequence[str], extra: str
) -> None:
    (tmp_path / "page.html").write_text("<html><body>A page.</body></html>", "utf-8")
    (tmp_path / "memory.tsv").write_text("en\tfr\nThe river.\tLe fleuve.\n", "utf-8")
    done = command_without(packages, *arguments, cwd=tmp_path)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert f"needs the extra `{extra}`: pip install 'kunnafoni[{extra}]'" in last
    assert "Traceback" not in done.stderr


def test_a_job_store_in_postgresql_names_its_extra(tmp_path: Path) -> None:
    url = "postgresql://nobody@localhost/nothing"
    program = f"from kunnafoni.storage.database import Database; Database({url!r})"
    done = run_without(OPTIONAL, program, cwd=tmp_path)
    assert "needs the extra `postgres`: pip install 'kunnafoni[postgres]'" in done.stderr


def test_help_needs_no_more_than_a_terminal(tmp_path: Path) -> None:
    for command in ([], ["serve"], ["translate"], ["jobs", "submit"], ["models"], ["evaluate"]):
        done = command_without(OPTIONAL | SERVER_ONLY, *command, "--help", cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_a_processor_needs_nothing_for_a_gpu_and_a_gpu_names_what_it_needs() -> None:
    program = """
from kunnafoni_models import registry
from kunnafoni_models.backend import ModelLoadError
entry = registry.catalog()["kunnafoni-270m"]
registry.load(entry).close()
try:
    registry.load(entry, device="cuda")
except ModelLoadError as error:
    print(error)
"""
    done = run_without(OPTIONAL, program)
    assert "needs the extra `ctranslate2`" in done.stdout, done.stderr


def test_the_embedded_model_translates_without_any_optional_package() -> None:
    program = """
from kunnafoni_models import registry
from kunnafoni_models.backend import Decoding
model = registry.load(registry.catalog()["kunnafoni-270m"], threads=1)
prompt = model.translation_prompt("The rain has come.", source="en", target="fr")
print(model.generate([prompt], Decoding())[0].text)
model.close()
"""
    done = run_without(OPTIONAL | {"onnx", "grpc", "google", "kunnafoni"}, program)
    assert done.stdout.strip(), done.stderr
    assert (done.returncode, done.stderr) == (0, "")


def closure(extra: str) -> set[str]:
    """Distributions that an installation with an extra has, by normalised name; what markers leave out is left out."""
    found: set[str] = set()
    left = [*PROJECT["dependencies"], f"kunnafoni[{extra}]"]
    done: set[str] = set()
    while left:
        each = Requirement(left.pop())
        if str(each) in done:
            continue
        done.add(str(each))
        name = canonicalize_name(each.name)
        if name == "kunnafoni":
            left += [further for part in each.extras for further in EXTRAS.get(part, [])]
            continue
        found.add(name)
        for further in map(Requirement, requires(name) or []):
            wanted = any(
                further.marker is None or further.marker.evaluate({"extra": part}) for part in (each.extras or {""})
            )
            left += [str(further)] if wanted else []
    return found


@pytest.mark.parametrize(
    ("extra", "modules"),
    [
        ("client", "kunnafoni.client kunnafoni.v1.job_pb2_grpc"),
        ("cli", "kunnafoni.cli.translate kunnafoni.cli.summarize kunnafoni.cli.jobs kunnafoni.cli.models"),
        ("server", "kunnafoni.app.application kunnafoni.app.metrics kunnafoni.rpc.server"),
        ("server", "kunnafoni_models.backends.onnxruntime_backend alembic.command"),
        ("documents", "kunnafoni.documents.articles trafilatura"),
        ("ctranslate2", "kunnafoni_models.backends.ctranslate2_backend sentencepiece"),
        ("transformers", "kunnafoni_models.backends.transformers_backend httpx2 huggingface_hub"),
        ("transformers", "kunnafoni_models.importing.checkpoint_import"),
        ("train", "kunnafoni_models.training.adapt kunnafoni_models.training.follow lxml.etree sacrebleu.metrics.chrf"),
        (
            "evaluate",
            "kunnafoni.cli.evaluate sacrebleu.significance rouge_score.rouge_scorer kunnafoni.app.application",
        ),
        ("postgres", "kunnafoni.storage.database psycopg"),
        ("ray", "kunnafoni.jobs.cluster.source kunnafoni.jobs.cluster.parts kunnafoni.app.pipeline ray.data"),
    ],
)
def test_an_extra_brings_all_that_its_modules_import(extra: str, modules: str) -> None:
    brought = closure(extra)
    foreign = {
        module
        for module, owners in packages_distributions().items()
        if not {canonicalize_name(each) for each in owners} & (brought | {"kunnafoni"} | RAYS_OWN)
    }
    done = run_without(foreign, f"import {', '.join(modules.split())}")
    assert done.returncode == 0, done.stderr


def test_extras_that_are_named_exist() -> None:
    named = {
        extra
        for folder in ("service", "models")
        for path in (ROOT / folder).rglob("*.py")
        for extra in re.findall(r'needs_extra\("(\w+)"', path.read_text("utf-8"))
    }
    assert named
    assert named <= EXTRAS.keys()


def test_a_fault_of_our_own_is_no_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError, match="kunnafoni_models"), needs_extra("server", "a test"):
        import_module("kunnafoni_models.no_such_module")
    inner = pytest.raises(MissingExtraError, match="the inner one needs the extra `train`")
    with inner, needs_extra("server", "the outer one"), needs_extra("train", "the inner one"):
        import_module("no_such_package")
