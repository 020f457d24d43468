"""What is built is what works: wheels into fresh environments, a server out of them, and a client that calls it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kunnafoni.client import Client
from kunnafoni_models import registry
from tests.test_extras import OPTIONAL

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = ROOT / "models" / "distributions"
MODEL, WEIGHTS = "kunnafoni-model-270m", "kunnafoni-model-270m-weights"
MEGABYTE = 1_000_000
# The index takes no larger files.
LARGEST_FILE_BYTES = 100 * MEGABYTE
CODE_BYTES = 2 * MEGABYTE
INSTALLED_BYTES = 500 * MEGABYTE
CLIENT_PACKAGES = {
    *("kunnafoni", "grpcio", "grpcio-health-checking", "googleapis-common-protos", "protobuf", "typing-extensions")
}
EMBEDDED = "kunnafoni_models/embedded/"
# The environment of the tests says where packages and settings are; a fresh one is to know neither.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith("KUNNAFONI_")}
TRANSLATE = """
import sys
from kunnafoni.client import Client
with Client(sys.argv[1]) as client:
    [translation] = client.translate(["The school opens on Monday."], target="fr")
    print(translation.text)
"""


def run(*command: str | Path, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    options = {"env": ENVIRONMENT, "timeout": 220, **options}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def pip(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check", check=check, cwd=ROOT)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each distribution."""
    folder = tmp_path_factory.mktemp("wheels")
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", folder, ".", DISTRIBUTIONS / MODEL, DISTRIBUTIONS / WEIGHTS)
    return {path.name.split("-", maxsplit=1)[0].replace("_", "-"): path for path in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def registry_of_packages(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Skip where packages cannot be fetched. The package is a small one that a server needs."""
    target = tmp_path_factory.mktemp("fetched")
    constrained = ("--constraint", ROOT / "constraints.txt")
    probe = ("download", "--no-deps", "--no-cache-dir", "--retries", "0", "--timeout", "20", "-d", target)
    if pip(*probe, *constrained, "grpcio-health-checking", check=False).returncode:
        pytest.skip("no package index can be reached: nothing can be installed")


def installed(folder: Path, *wheels: Path, python: str = sys.executable, with_pip: bool = False) -> Path:
    """A fresh environment with `wheels` and what they depend on; its `bin`."""
    run(python, "-m", "venv", *(() if with_pip else ("--without-pip",)), folder)
    pip("--python", folder / "bin" / "python", "install", "--constraint", ROOT / "constraints.txt", *wheels)
    return folder / "bin"


def python_of(version: str) -> str:
    """The interpreter of a version; skips where there is none."""
    name = f"python{version}"
    chosen = ENVIRONMENT | {"PYENV_VERSION": version}  # pyenv's commands are there for versions that are not chosen
    found = (
        shutil.which(name)
        and run(name, "-c", "import sys; print(sys.executable)", check=False, env=chosen).stdout.strip()
    )
    return found or pytest.skip(f"there is no {name}")


@pytest.fixture(scope="module")
def server_bin(registry_of_packages: None, wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bin` of an environment with all that was built, and no extra asked for."""
    del registry_of_packages
    return installed(tmp_path_factory.mktemp("server") / "venv", *wheels.values(), with_pip=True)


@pytest.fixture(scope="module")
def client_bin(registry_of_packages: None, wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bin` of an environment with the code alone."""
    del registry_of_packages
    return installed(tmp_path_factory.mktemp("client") / "venv", wheels["kunnafoni"])


@contextmanager
def serving(bin_folder: Path, folder: Path) -> Generator[str]:
    """`kunnafoni serve` out of an environment, until it is SERVING; its address."""
    log = folder / "server.log"
    command = [bin_folder / "kunnafoni", "serve", "--address", "localhost:0", "--data-dir", folder / "data"]
    with log.open("w") as output, subprocess.Popen(command, stderr=output, cwd=folder, env=ENVIRONMENT) as process:
        try:
            end_s = time.monotonic() + 100
            while not (found := re.search(r"listening on (\S+)\n", log.read_text("utf-8"))):
                assert process.poll() is None, log.read_text("utf-8")
                assert time.monotonic() < end_s, log.read_text("utf-8")
                time.sleep(0.05)
            with Client(found[1]) as client:
                client.wait_until_serving(100)
            yield found[1]
        finally:
            process.terminate()


def test_a_release_of_the_code_carries_no_weights_and_no_file_is_too_large(wheels: dict[str, Path]) -> None:
    assert wheels.keys() == {"kunnafoni", MODEL, WEIGHTS}
    assert wheels["kunnafoni"].stat().st_size < CODE_BYTES
    assert all(path.stat().st_size < LARGEST_FILE_BYTES for path in wheels.values())
    names = {name: set(zipfile.ZipFile(path).namelist()) for name, path in wheels.items()}
    assert not any(name.startswith(EMBEDDED) for name in names["kunnafoni"])
    assert {"kunnafoni/py.typed", "kunnafoni_models/py.typed", "kunnafoni/cli/sample_article.txt"} <= names["kunnafoni"]


def test_the_distributions_of_the_model_have_every_file_of_it_once_and_its_terms(wheels: dict[str, Path]) -> None:
    entry = registry.catalog()["kunnafoni-270m"]
    packed = {name: zipfile.ZipFile(wheels[name]).namelist() for name in (MODEL, WEIGHTS)}
    files = [each.removeprefix(EMBEDDED) for names in packed.values() for each in names if each.startswith(EMBEDDED)]
    assert sorted(files) == sorted(path.name for path in entry.folder.iterdir())
    assert {file.name for file in entry.files} < set(files)
    for names in packed.values():
        terms = {Path(each).name for each in names if "/licenses/" in each}
        assert terms == {"LICENSE", "NOTICE", "GEMMA_TERMS.html"}


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_revision_of_the_model_is_the_version_of_its_distributions() -> None:
    version = registry.catalog()["kunnafoni-270m"].revision.replace("-", ".")
    model, weights = project(DISTRIBUTIONS / MODEL), project(DISTRIBUTIONS / WEIGHTS)
    assert model["version"] == weights["version"] == version
    assert f"{WEIGHTS}=={version}" in model["dependencies"]
    assert f"{MODEL}=={version}" in project(ROOT)["optional-dependencies"]["embedded"]


def test_the_source_distribution_carries_no_weights(tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=ROOT)
    [path] = tmp_path.iterdir()
    assert path.stat().st_size < CODE_BYTES
    with tarfile.open(path) as packed:
        assert not [name for name in packed.getnames() if "/embedded/" in name]


def test_a_server_without_extras_is_small_and_serves(server_bin: Path, client_bin: Path, tmp_path: Path) -> None:
    size = sum(path.lstat().st_blocks * 512 for path in server_bin.parent.rglob("*"))
    assert size < INSTALLED_BYTES
    found = f"import importlib.util as u; print(*[each for each in {sorted(OPTIONAL)} if u.find_spec(each)])"
    assert run(server_bin / "python", "-c", found, cwd=tmp_path).stdout.strip() == ""
    with serving(server_bin, tmp_path) as address:
        command = (server_bin / "kunnafoni", "translate", "--server", address, "--text")
        assert "350" in run(*command, "350 children came back.", "--to", "bm", cwd=tmp_path).stdout
        with Client(address) as client:
            article = "The bridge opened on Monday. It is 620 metres long. The old bridge was closed in August."
            [edition] = client.summarize(article, targets=["fr"], length="short").editions
        assert "620" in edition.summary + "".join(point.text for point in edition.key_points)
        assert run(client_bin / "python", "-c", TRANSLATE, address, cwd=tmp_path).stdout.strip()


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_each_version_of_python_that_is_claimed_serves(
    registry_of_packages: None, wheels: dict[str, Path], tmp_path: Path, version: str
) -> None:
    del registry_of_packages
    assert f"Programming Language :: Python :: {version}" in project(ROOT)["classifiers"]
    if sys.version.startswith(version):
        pytest.skip("the other tests run on it")
    there = installed(tmp_path / "venv", *wheels.values(), python=python_of(version))
    with serving(there, tmp_path) as address:
        command = (there / "kunnafoni", "translate", "--server", address, "--text", "350 children came back.")
        assert "350" in run(*command, "--to", "bm", cwd=tmp_path).stdout


def test_a_server_without_its_model_says_how_to_get_it(server_bin: Path, tmp_path: Path) -> None:
    [weights] = server_bin.parent.glob(f"lib/*/site-packages/{EMBEDDED}weights-*.00")
    away = weights.rename(weights.with_name("away"))
    try:
        told = run(server_bin / "kunnafoni", "serve", "--address", "localhost:0", check=False, cwd=tmp_path)
    finally:
        away.rename(weights)
    assert told.returncode == 1
    assert "is missing: pip install 'kunnafoni[embedded]'" in told.stderr


def test_a_client_costs_grpcio_and_protobuf(client_bin: Path, tmp_path: Path) -> None:
    listed = pip("--python", client_bin / "python", "list", "--format", "freeze").stdout
    names = {line.partition("==")[0].lower().replace("_", "-") for line in listed.splitlines()}
    assert names == CLIENT_PACKAGES
    told = run(client_bin / "kunnafoni", "translate", "--text", "Hello", "--to", "fr", check=False, cwd=tmp_path)
    assert told.returncode == 1
    assert "needs the extra `cli`: pip install 'kunnafoni[cli]'" in told.stderr
