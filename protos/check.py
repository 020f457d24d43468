"""Check `protos/` with buf.

    python protos/check.py            buf's lint rules
    python protos/check.py --renew    write `v0.1.0.binpb` anew, which ends once version 0.1.0 is tagged

buf reads what protoc has compiled: by itself it would fetch the protos of googleapis over the network.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from generate import PROTOS, run_protoc

FIRST_VERSION = PROTOS / "v0.1.0.binpb"


def check(image: Path) -> bool:
    """Whether the compiled protos in `image` keep the rules; what breaks one is printed."""
    return _buf("lint", str(image), "--config", "buf.yaml")


def renew(image: Path) -> bool:
    """Take the compiled protos in `image` for the first version, without their comments; False if buf refuses them."""
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
