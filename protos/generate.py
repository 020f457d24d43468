"""Compile `protos/` into `service/kunnafoni/v1/`: messages, stubs and their type stubs, in one protoc call.

    python protos/generate.py [OUTPUT_FOLDER]

The output is committed; a test compiles again and compares. The protos of others (`google/protobuf`, `google/api`,
`google/rpc`) are read from the installed packages and not compiled: their Python is installed as well.
"""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import google.rpc  # pyright: ignore[reportMissingTypeStubs]

PROTOS = Path(__file__).parent
SERVICE = PROTOS.parent / "service"
# The second holds the protos of googleapis-common-protos, beside its Python.
INCLUDED = (files("grpc_tools") / "_proto", Path(next(iter(google.rpc.__path__))).parents[1])
MYPY_PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")


def generate(output: Path) -> None:
    """Write `kunnafoni/v1/*` under `output`.

    Raises:
        CalledProcessError: protoc reports an error, which it has printed.
    """
    # The plugins lie beside this Python, which need not be on the PATH.
    plugins = [f"--plugin={name}={Path(sys.executable).parent / name}" for name in MYPY_PLUGINS]
    run_protoc(*plugins, *(f"--{plugin}_out={output}" for plugin in ("python", "grpc_python", "mypy", "mypy_grpc")))


def run_protoc(*arguments: str) -> None:
    """Run protoc over all protos.

    Raises:
        CalledProcessError: protoc reports an error, which it has printed.
    """
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("kunnafoni/v1/*.proto"))
    paths = [f"-I{folder}" for folder in (PROTOS, *INCLUDED)]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *paths, *arguments, *sources], check=True)  # noqa: S603


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else SERVICE)
