"""The raw backend as the limit: exactly the sequences that the service runs for some requests, in the best batches.

The service translates the requests once in this process, and every sequence that reaches the backend is recorded,
fallback decoding and both hops of a pivot included. The same sequences then run offline, sorted by length, with several
batch sizes.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kunnafoni.app.model_loading import make_engines
from kunnafoni.config import Settings
from kunnafoni.engine.request_context import RequestContext
from kunnafoni.translation.model_pool import ModelPool
from kunnafoni.translation.translator import Translator
from kunnafoni_models import registry
from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni.engine.engine_manager import EngineManager
    from kunnafoni.v1.translation_pb2 import TranslateRequest
    from kunnafoni_models.backend import Output, OutputCallback, Prompt
    from kunnafoni_models.catalog.entry import CatalogEntry

MODEL = "kunnafoni-270m"


@dataclass(frozen=True, slots=True)
class RecordedSequence:
    """One sequence that the backend ran."""

    prompt: Prompt
    decoding: Decoding


class RawBackend:
    """The embedded model in this process. Make it with `open`."""

    def __init__(self, engines: EngineManager[CatalogEntry]) -> None:
        self._engines = engines
        self._sequences: list[RecordedSequence] = []
        self.backend = engines.engine(MODEL).backend
        self._generate = self.backend.generate
        recorded: Any = self.backend
        recorded.generate = self._record

    @classmethod
    async def open(cls) -> RawBackend:
        """Load the model."""
        engines = make_engines(Settings(cache_bytes=0, max_queue_tokens=100_000_000))
        engines.load(MODEL, registry.catalog()[MODEL])
        await engines.wait()
        return cls(engines)

    async def sequences(self, requests: Sequence[TranslateRequest], *, plain: bool = False) -> list[RecordedSequence]:
        """Translate the requests as the service does and return the sequences that it ran.

        `plain` is without fallback decoding and pivots: one sequence per sentence.
        """
        self._sequences.clear()
        model_pool = ModelPool(registry.catalog(), self._engines, fallback_decoding=not plain, pivots=not plain)
        translator = Translator(model_pool)
        await asyncio.gather(*(_translate(translator, request) for request in requests))
        return list(self._sequences)

    def seconds(self, sequences: Sequence[RecordedSequence], batch_size: int) -> float:
        """How long the sequences take in batches of this size, sorted by length, in parallel as in the server."""
        began_s = time.monotonic()
        batches: list[tuple[list[Prompt], Decoding]] = []
        for decoding in {sequence.decoding for sequence in sequences}:
            prompts = [sequence.prompt for sequence in sequences if sequence.decoding == decoding]
            prompts.sort(key=lambda prompt: (len(prompt.tokens), prompt.max_output_tokens), reverse=True)
            batches += ((prompts[n : n + batch_size], decoding) for n in range(0, len(prompts), batch_size))
        with ThreadPoolExecutor(self.backend.parallel) as threads:
            for run in [threads.submit(self._generate, *batch) for batch in batches]:
                run.result()
        return time.monotonic() - began_s

    async def close(self) -> None:
        """Free the model."""
        await self._engines.close()

    def _record(self, prompts: Sequence[Prompt], decoding: Decoding, on_output: OutputCallback) -> list[Output]:
        self._sequences += (RecordedSequence(prompt, decoding) for prompt in prompts)
        return self._generate(prompts, decoding, on_output)


async def _translate(translator: Translator, request: TranslateRequest) -> None:
    with RequestContext() as context:
        begun = translator.begin(
            request.contents,
            source=request.source_language_code,
            target=request.target_language_code,
            decoding=Decoding(),
            context=context,
        )
        async with begun as pending:
            for content in pending:
                async for _ in content.pieces():
                    pass
