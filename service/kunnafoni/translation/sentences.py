"""One sentence: tokenised for its model, translated, and what can translate it. Values and a protocol, no work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from kunnafoni.engine.engine import Engine
from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kunnafoni.checks.finding import Finding
    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni_models.backend import Prompt


class FinishReason(StrEnum):
    """How the output of a segment ended; see `result.proto`."""

    STOP = "STOP"
    LENGTH = "LENGTH"
    COPIED = "COPIED"


@dataclass(frozen=True, slots=True)
class Usage:
    """What an output cost; see `result.proto`. Sums over segments add all of it but the wait: they keep the longest.

    Attributes:
        input_tokens, output_tokens: Read and written by models.
        queue_ms: The longest single wait for a turn on a model.
        inference_ms: Time inside models.
        cached_segments: Segments for which no model had to run.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    queue_ms: float = 0.0
    inference_ms: float = 0.0
    cached_segments: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            max(self.queue_ms, other.queue_ms),
            self.inference_ms + other.inference_ms,
            self.cached_segments + other.cached_segments,
        )

    @classmethod
    def of_one_segment(cls, runs: Iterable[Usage]) -> Usage:
        """What one segment cost that took several runs of models (parts, hops, retries): cached if all of them were."""
        runs = list(runs)
        total = sum(runs, cls())
        cached = min((run.cached_segments for run in runs), default=0)
        return cls(total.input_tokens, total.output_tokens, total.queue_ms, total.inference_ms, cached)


@dataclass(frozen=True, slots=True)
class SentenceTranslation:
    """A translated sentence: its text, how it ended, what looks wrong (spans relative to it), what it cost."""

    text: str
    finish_reason: FinishReason
    findings: tuple[Finding, ...] = ()
    usage: Usage = Usage()

    @classmethod
    def copied(cls, text: str) -> SentenceTranslation:
        """A piece that no model touches."""
        return cls(text, FinishReason.COPIED)


@dataclass(frozen=True, slots=True)
class TokenizedSentence:
    """A sentence ready for its first model.

    Attributes:
        sentence: As it was given: the spans of findings count in it.
        pieces: Normalised: what the model takes in one go, with its prompt, and what stands between (prompt is None).
    """

    sentence: str
    pieces: tuple[tuple[str, Prompt | None], ...]

    @property
    def token_costs(self) -> list[int]:
        """Tokens that each prompt may come to hold with its output, as the engine counts them, decoded greedily."""
        return [Engine.token_cost(prompt, Decoding()) for _, prompt in self.pieces if prompt]


class SentenceTranslator(Protocol):
    """Translates one sentence at a time along one route."""

    def tokenize(self, sentence: str) -> TokenizedSentence:
        """Normalise `sentence`, cut it where the first model would not take it whole, make the prompts.

        Blocking, as it counts tokens; safe from any thread.
        """
        ...

    async def translate(
        self, sentence: TokenizedSentence, *, decoding: Decoding, context: RequestContext
    ) -> SentenceTranslation:
        """Translate what `tokenize` returned.

        Raises:
            KunnafoniError: the engine refused or dropped the work.
        """
        ...
