"""A model hub of this machine: the few answers of its HTTP interface that a download needs, over folders of files."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONVERSION = "refs/pr/2"


class FakeHub(BaseHTTPRequestHandler):
    """Answers for the repositories in `repositories`: id to the folder with its files. Notes what it is asked for."""

    repositories: ClassVar[dict[str, Path]] = {}
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        """Size and digest of a file."""
        self._answer(with_body=False)

    def do_GET(self) -> None:
        """What a repository has, or a file."""
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature is the library's
        """Say nothing."""

    def _answer(self, *, with_body: bool) -> None:
        parts = [unquote(part) for part in self.path.partition("?")[0].strip("/").split("/")]
        is_api = parts[:2] == ["api", "models"]
        owner, name, *rest = parts[2:] if is_api else parts
        folder = self.repositories.get(f"{owner}/{name}")
        revision = rest[1] if len(rest) > 1 else "main"
        self.asked.append(revision if is_api else rest[-1])
        if folder is None or revision not in {"main", CONVERSION, COMMIT}:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound" if folder is None else "RevisionNotFound"})
        elif is_api:
            self._send(200, json.dumps(self._described(folder, rest)).encode(), {"Content-Type": "application/json"})
        else:
            content = (folder / rest[-1]).read_bytes()
            headers = {"ETag": f'"{_digest(content)}"', "X-Repo-Commit": COMMIT}
            self._send(200, content, headers, with_body=with_body)

    def _described(self, folder: Path, rest: list[str]) -> object:
        """The repository, or its files one by one."""
        files = sorted(folder.iterdir())
        if rest[:1] == ["tree"]:
            return [
                {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": _digest(path.read_bytes())}
                for path in files
            ]
        return {"id": folder.name, "sha": COMMIT, "siblings": [{"rfilename": path.name} for path in files]}

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, with_body: bool = True) -> None:
        self.send_response(status)
        for name, value in (*headers.items(), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()  # noqa: S324 - a name of the content, as git's


@contextmanager
def fake_hub(repositories: dict[str, Path]) -> Generator[tuple[str, list[str]]]:
    """Serve `repositories` until the end of the block; gives the address, and the revisions and files asked for."""

    class Hub(FakeHub):
        pass

    Hub.repositories, Hub.asked = repositories, []
    with ThreadingHTTPServer(("localhost", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_address[1]}", Hub.asked
        finally:
            server.shutdown()
            thread.join()
