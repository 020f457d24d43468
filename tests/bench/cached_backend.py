"""A backend that caches outputs in a file, so that a benchmark that is interrupted or repeated runs nothing twice.

Outputs are keyed by the model's revision, the prompt and the decoding. It does not know what is measured.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from kunnafoni_models.backend import Output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kunnafoni_models.backend import Backend, Decoding, OutputCallback, Prompt


class CachedBackend:
    """Runs on `backend` only what is not in `file`, and appends it there: one line of JSON per output."""

    parallel = 1
    supports_continuous_batching = False

    def __init__(self, backend: Backend, revision: str, file: Path) -> None:
        self._backend = backend
        self._revision = revision
        self._file = file
        lines = file.read_text("utf-8").splitlines() if file.exists() else []
        self._outputs = {line["key"]: Output(**line["output"]) for line in map(json.loads, lines)}

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, on_output: OutputCallback | None = None
    ) -> list[Output]:
        """See `Backend`."""
        del on_output  # cached outputs need no callback
        keys = [json.dumps([self._revision, asdict(prompt), asdict(decoding)]) for prompt in prompts]
        new = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in self._outputs}
        outputs = self._backend.generate(list(new.values()), decoding)
        with self._file.open("a", encoding="utf-8") as file:
            for key, output in zip(new, outputs, strict=True):
                self._outputs[key] = output
                file.write(json.dumps({"key": key, "output": asdict(output)}) + "\n")
        return [self._outputs[key] for key in keys]

    def count_tokens(self, text: str) -> int:
        """See `Backend`."""
        return self._backend.count_tokens(text)

    def translation_prompt(self, text: str, *, source: str, target: str) -> Prompt:
        """See `Backend`."""
        return self._backend.translation_prompt(text, source=source, target=target)

    def summary_prompt(self, text: str, *, language: str) -> Prompt:
        """See `Backend`."""
        return self._backend.summary_prompt(text, language=language)

    def close(self) -> None:
        """See `Backend`."""
        self._backend.close()
