"""The generated code is what the protos say, and the protos keep buf's rules."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_generated_code_is_up_to_date(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, ROOT / "protos" / "generate.py", tmp_path], check=True, capture_output=True, timeout=120
    )
    made = {path.name: path.read_text() for path in (tmp_path / "kunnafoni" / "v1").iterdir()}
    committed = {path.name: path.read_text() for path in (ROOT / "service" / "kunnafoni" / "v1").glob("*_pb2*")}
    assert made
    assert made == committed


def test_buf_lint_is_clean() -> None:
    buf = shutil.which("buf", path=str(Path(sys.executable).parent))
    assert buf, "buf-bin is not installed beside this Python"
    result = subprocess.run(
        [buf, "lint"], check=False, cwd=ROOT / "protos", capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
