"""Check `protos/` with buf: its lint rules, and that nothing breaks those who use version 0.1.0.

    python protos/check.py            what `make lint` runs
    python protos/check.py --renew    write `v0.1.0.binpb` anew: not any more once version 0.1.0 is tagged

buf reads what protoc has compiled: by itself it would fetch the protos of googleapis over the network. `v0.1.0.binpb`
is the contract with all that it imports, compiled and without comments; other languages can load it as it is.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from generate import PROTOS, run_protoc

FIRST_VERSION = PROTOS / "v0.1.0.binpb"


def check(image: Path) -> bool:
    """Whether the compiled protos in `image` keep the rules and the contract; what breaks one is printed."""
    lint = _buf("lint", str(image), "--config", "buf.yaml")
    breaking = _buf("breaking", str(image), "--config", "buf.yaml", "--against", str(FIRST_VERSION))
    return lint and breaking


def renew(image: Path) -> bool:
    """Take the compiled protos in `image` for the first version; False if buf refuses them."""
    return _buf("build", str(image), "--exclude-source-info", "-o", str(FIRST_VERSION))


def _buf(*arguments: str) -> bool:
    buf = Path(sys.executable).parent / "buf"
    return subprocess.run([buf, *arguments, "--path", "kunnafoni"], check=False, cwd=PROTOS).returncode == 0  # noqa: S603


def main() -> None:
    """Run the command line: exit code 1 if a rule is broken."""
    with TemporaryDirectory() as folder:
        image = Path(folder) / "protos.binpb"
        run_protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={image}")
        kept = renew(image) if "--renew" in sys.argv[1:] else check(image)
    raise SystemExit(0 if kept else 1)


if __name__ == "__main__":
    main()
