"""Compile `protos/` into `service/kunnafoni/v1/`: messages, stubs and their type stubs, in one protoc call.

    python protos/generate.py [OUTPUT_FOLDER]

The output is committed; a test compiles again and compares.
"""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

PROTOS = Path(__file__).parent
SERVICE = PROTOS.parent / "service"
MYPY_PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")


def generate(output: Path) -> None:
    """Write `kunnafoni/v1/*` under `output`.

    Raises:
        CalledProcessError: protoc reports an error, which it has printed.
    """
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("kunnafoni/v1/*.proto"))
    arguments = [f"-I{PROTOS}", f"-I{files('grpc_tools') / '_proto'}"]
    # The plugins lie beside this Python, which need not be on the PATH.
    arguments += [f"--plugin={name}={Path(sys.executable).parent / name}" for name in MYPY_PLUGINS]
    arguments += [f"--{plugin}_out={output}" for plugin in ("python", "grpc_python", "mypy", "mypy_grpc")]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments, *sources], check=True)  # noqa: S603


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else SERVICE)
