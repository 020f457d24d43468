"""One sentence in one hop (`DirectTranslator`) or two (`PivotTranslator`), with the same interface.

Here an output that looks wrong gets its second try: with another decoding if it loops, read otherwise if it stays
untranslated or has an odd length, and in two halves if that runs into its cap. It knows nothing of contents, spans or
requests.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from kunnafoni.checks.registry import Finding, WarningKind, check
from kunnafoni.engine.engine import Engine
from kunnafoni.text.orthography import normalise_input, standardise_bambara
from kunnafoni.text.segments import Segment, SegmentKind
from kunnafoni.text.subsegments import cut, halve
from kunnafoni_models.backend import Decoding, InputTooLongError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni.engine.caller import Caller
    from kunnafoni.translation.routes import Hop
    from kunnafoni_models.backend import Prompt

# Of second decodings for sentences that loop, measured on 60 lines of FLORES-200 dev (chrF++ fr-bm 20.2 as it is, 23.8
# with a penalty of 1.1, 24.6 with 1.2, 25.1 with 1.3, 20.4 with a beam of 4, 23.8 without repeated trigrams; other
# directions within 0.2 but for bm-fr, 24.3 as it is, 24.2 with 1.3), this one mends most and costs half of a beam.
CAREFUL_REPETITION_PENALTY = 1.3
# Findings that another reading or decoding can mend; a wrong number is as wrong with a beam.
MENDABLE = {WarningKind.REPETITION, WarningKind.UNTRANSLATED, WarningKind.LENGTH_RATIO}


class FinishReason(StrEnum):
    """How the output of a segment ended; see `result.proto`."""

    STOP = "STOP"
    LENGTH = "LENGTH"
    COPIED = "COPIED"


@dataclass(frozen=True, slots=True)
class Usage:
    """What an output cost; see `result.proto`. Sums add tokens and inference, and keep the longest wait."""

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


@dataclass(frozen=True, slots=True)
class Sentence:
    """A translated sentence: its text, how it ended, what looks wrong (spans relative to it), what it cost."""

    text: str
    finish_reason: FinishReason
    findings: tuple[Finding, ...] = ()
    usage: Usage = Usage()

    @classmethod
    def copied(cls, text: str) -> Sentence:
        """A piece that no model touches."""
        return cls(text, FinishReason.COPIED)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sentence ready for its first model.

    Attributes:
        sentence: As it was given: the spans of findings count in it.
        pieces: Normalised: what the model takes in one go, with its prompt, and what stands between (prompt is None).
    """

    sentence: str
    pieces: tuple[tuple[str, Prompt | None], ...]

    @property
    def weights(self) -> list[int]:
        """Tokens that each prompt may come to hold with its output, as the engine counts them, decoded greedily."""
        return [Engine.weight(prompt, Decoding()) for _, prompt in self.pieces if prompt]


class SentenceTranslator(Protocol):
    """Translates one sentence at a time along one route."""

    def prepare(self, sentence: str) -> Prepared:
        """Normalise `sentence`, cut it where the first model would not take it whole, make the prompts.

        Blocking, as it counts tokens; safe from any thread.
        """
        ...

    async def translate(self, prepared: Prepared, *, decoding: Decoding, caller: Caller) -> Sentence:
        """Translate what `prepare` returned.

        Raises:
            KunnafoniError: the engine refused or dropped the work.
        """
        ...


class DirectTranslator:
    """A sentence through one model.

    Args:
        engine: The model at work.
        hop: Names the model and its direction.
        repetition_penalty: Of greedy first tries.
        second_tries: Whether outputs that look wrong are tried again; otherwise they are only marked.
    """

    def __init__(self, engine: Engine, hop: Hop, *, repetition_penalty: float = 1.0, second_tries: bool = True) -> None:
        self._engine = engine
        self._hop = hop
        self._repetition_penalty = repetition_penalty
        self._second_tries = second_tries

    def prepare(self, sentence: str) -> Prepared:
        """See SentenceTranslator."""
        text = normalise_input(sentence)
        pieces = cut(Segment(text, 0, len(text), SegmentKind.TEXT), self._fits)
        prompts = [self._prompt(piece.text) if piece.kind is SegmentKind.TEXT else None for piece in pieces]
        return Prepared(sentence, tuple(zip([piece.text for piece in pieces], prompts, strict=True)))

    async def translate(self, prepared: Prepared, *, decoding: Decoding, caller: Caller) -> Sentence:
        """See SentenceTranslator; pieces of a sentence are translated by themselves and joined."""
        if decoding.beam_size == 1:
            decoding = replace(decoding, repetition_penalty=self._repetition_penalty)
        parts = await asyncio.gather(
            *(self._piece(text, prompt, decoding=decoding, caller=caller) for text, prompt in prepared.pieces)
        )
        if [text for text, _ in prepared.pieces] == [prepared.sentence]:
            return parts[0]
        return await self._joined(prepared.sentence, parts, caller=caller)

    async def _piece(self, text: str, prompt: Prompt | None, *, decoding: Decoding, caller: Caller) -> Sentence:
        if prompt is None:
            return Sentence.copied(text)
        return await self._mended(text, prompt, decoding=decoding, caller=caller)

    def _fits(self, text: str) -> bool:
        try:
            self._prompt(text)
        except InputTooLongError:
            return False
        return True

    def _prompt(self, text: str) -> Prompt:
        return self._engine.backend.translation_prompt(text, source=self._hop.source, target=self._hop.target)

    async def _mended(self, piece: str, prompt: Prompt, *, decoding: Decoding, caller: Caller) -> Sentence:
        """Translate `piece`; while it looks wrong, read or decoded otherwise, then in halves; keep the best."""
        attempts = [await self._once(piece, prompt, decoding=decoding, caller=caller)]
        if self._second_tries and _wrongness(attempts[0]):
            careful = replace(decoding, repetition_penalty=CAREFUL_REPETITION_PENALTY)
            other = prompt if _loops(attempts[0]) else self._read_otherwise(piece, prompt)
            again = careful if other == prompt else decoding
            attempts.append(await self._once(piece, other, decoding=again, caller=caller))
            if attempts[1].finish_reason is FinishReason.LENGTH:
                attempts.append(await self._in_halves(piece, decoding=careful, caller=caller))
        best = min(attempts, key=_wrongness)
        return replace(best, usage=sum((attempt.usage for attempt in attempts), Usage()))

    def _read_otherwise(self, piece: str, prompt: Prompt) -> Prompt:
        """Another prompt for `piece`, or the same: where the tokenizer makes no difference, or it would be too long.

        With a space behind it the model answers otherwise, and the row shares the batches of all others, which one that
        is decoded in its own way hardly can. FLORES-200 devtest, 400 lines in six directions, 2026-11-26: of 118
        sentences that looked wrong 65 were mended by the penalty, 60 by the space, 74 by the penalty if they loop and
        else by the space (chrF++ of the 118: 25.4 as they were, 27.7, 27.8, 28.4; loops: 32 of 34 and 18 of 34).
        """
        try:
            return self._prompt(f"{piece} ")
        except InputTooLongError:
            return prompt

    async def _in_halves(self, piece: str, *, decoding: Decoding, caller: Caller) -> Sentence:
        halves = [half.strip() for half in halve(piece) if half.strip()]
        parts = await asyncio.gather(
            *(self._once(half, self._prompt(half), decoding=decoding, caller=caller) for half in halves)
        )
        return await self._joined(piece, parts, separator=" ", caller=caller)

    async def _once(self, piece: str, prompt: Prompt, *, decoding: Decoding, caller: Caller) -> Sentence:
        answer = await self._engine.submit(prompt, decoding, caller=caller)
        usage = Usage(
            input_tokens=len(prompt.tokens),
            output_tokens=answer.output.tokens,
            queue_ms=answer.queue_ms,
            inference_ms=answer.inference_ms,
            cached_segments=int(answer.cached),
        )
        reason = FinishReason.LENGTH if answer.output.reached_cap else FinishReason.STOP
        return await self._checked(piece, answer.output.text, reason, usage, caller=caller)

    async def _joined(self, source: str, parts: Sequence[Sentence], *, separator: str = "", caller: Caller) -> Sentence:
        capped = any(part.finish_reason is FinishReason.LENGTH for part in parts)
        reason = FinishReason.LENGTH if capped else FinishReason.STOP
        usage = sum((part.usage for part in parts), Usage())
        return await self._checked(source, separator.join(part.text for part in parts), reason, usage, caller=caller)

    async def _checked(self, source: str, text: str, reason: FinishReason, usage: Usage, *, caller: Caller) -> Sentence:
        if self._hop.target == "bm":
            text = standardise_bambara(text)
        findings = await caller.in_turn(
            lambda: check(source, text, source_language=self._hop.source, target_language=self._hop.target)
        )
        return Sentence(text, reason, tuple(findings), usage)


def _loops(sentence: Sentence) -> bool:
    repeats = any(finding.kind is WarningKind.REPETITION for finding in sentence.findings)
    return repeats or sentence.finish_reason is FinishReason.LENGTH


def _wrongness(sentence: Sentence) -> int:
    """How wrong a sentence looks; 0 needs no second try. A missing end is worse than anything else."""
    mendable = sum(finding.kind in MENDABLE for finding in sentence.findings)
    return mendable + (len(MENDABLE) + 1) * (sentence.finish_reason is FinishReason.LENGTH)


class PivotTranslator:
    """A sentence by way of a third language, through two models or twice through one.

    Args:
        first, second: Translate into the third language and out of it.
        route: Their hops.
        makeshift: Whether it stands in for a direct model that nobody serves; sentences are then marked `PIVOTED`.
    """

    def __init__(
        self, first: SentenceTranslator, second: SentenceTranslator, *, route: Sequence[Hop], makeshift: bool
    ) -> None:
        self._first = first
        self._second = second
        self._makeshift = makeshift
        self._source, self._middle, self._target = route[0].source, route[0].target, route[-1].target

    def prepare(self, sentence: str) -> Prepared:
        """See SentenceTranslator."""
        return self._first.prepare(sentence)

    async def translate(self, prepared: Prepared, *, decoding: Decoding, caller: Caller) -> Sentence:
        """See SentenceTranslator; what is checked is the last text against the first."""
        middle = await self._first.translate(prepared, decoding=decoding, caller=caller)
        last = Sentence("", FinishReason.STOP)
        if middle.text.strip():  # a model asked to translate nothing invents something
            between = await caller.in_turn(lambda: self._second.prepare(middle.text))
            last = await self._second.translate(between, decoding=decoding, caller=caller)
        findings = await caller.in_turn(
            lambda: check(prepared.sentence, last.text, source_language=self._source, target_language=self._target)
        )
        # Words left in the third language are seen only beside the text in it.
        told = {finding.kind for finding in findings}
        findings += [
            replace(finding, source_span=None)
            for finding in last.findings
            if finding.kind in MENDABLE and finding.kind not in told
        ]
        if self._makeshift:
            findings.append(Finding(WarningKind.PIVOTED, detail=f"translated by way of {self._middle}"))
        capped = FinishReason.LENGTH in {middle.finish_reason, last.finish_reason}
        return Sentence(
            text=last.text,
            finish_reason=FinishReason.LENGTH if capped else FinishReason.STOP,
            findings=tuple(findings),
            usage=middle.usage + last.usage,
        )
