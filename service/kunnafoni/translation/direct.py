"""A sentence through one model, with a fallback where the output looks wrong.

An output that loops is decoded once more with a penalty on repetition; one that stays untranslated or has an odd length
gets a changed prompt; and where that runs into its cap, the sentence is translated in two halves. It knows nothing of
contents, spans of contents or requests.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from kunnafoni.checks.finding import FindingType
from kunnafoni.checks.registry import check
from kunnafoni.text.orthography import normalise_input, standardise_bambara
from kunnafoni.text.segments import Segment, SegmentKind
from kunnafoni.text.subsegments import split_near_middle, subsegments
from kunnafoni.translation.sentences import FinishReason, SentenceTranslation, TokenizedSentence, Usage
from kunnafoni_models.backend import InputTooLongError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni.engine.engine import Engine
    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.translation.routes import Hop
    from kunnafoni_models.backend import Decoding, Prompt

# Of fallback decodings for sentences that loop this one repairs most, and costs half of a beam. 60 lines of FLORES-200
# dev, chrF++ fr-bm: 20.2 as it is, 23.8 with a penalty of 1.1, 24.6 with 1.2, 25.1 with 1.3, 20.4 with a beam of 4,
# 23.8 without repeated trigrams; other directions within 0.2 but for bm-fr, 24.3 as it is, 24.2 with 1.3.
FALLBACK_REPETITION_PENALTY = 1.3
# Findings that another prompt or decoding can repair; a wrong number is as wrong with a beam.
RETRIED_FINDINGS = {
    FindingType.REPETITION,
    FindingType.UNTRANSLATED,
    FindingType.LENGTH_RATIO,
    FindingType.COMPARISON_MISMATCH,
    FindingType.DIRECTION_MISMATCH,
}


class DirectTranslator:
    """A sentence through one model.

    Args:
        engine: The model at work.
        hop: Names the model and its direction.
        repetition_penalty: Of greedy decoding, before any fallback.
        fallback_decoding: Whether the model tries again where an output looks wrong; otherwise it is only marked.
    """

    def __init__(
        self, engine: Engine, hop: Hop, *, repetition_penalty: float = 1.0, fallback_decoding: bool = True
    ) -> None:
        self._engine = engine
        self._hop = hop
        self._repetition_penalty = repetition_penalty
        self._fallback_decoding = fallback_decoding

    def tokenize(self, sentence: str) -> TokenizedSentence:
        """See SentenceTranslator."""
        text = normalise_input(sentence)
        pieces = subsegments(Segment(text, 0, len(text), SegmentKind.TEXT), self._fits)
        prompts = [self._prompt(piece.text) if piece.kind is SegmentKind.TEXT else None for piece in pieces]
        return TokenizedSentence(sentence, tuple(zip([piece.text for piece in pieces], prompts, strict=True)))

    async def translate(
        self, sentence: TokenizedSentence, *, decoding: Decoding, context: RequestContext
    ) -> SentenceTranslation:
        """See SentenceTranslator; pieces of a sentence are translated by themselves and joined."""
        if decoding.beam_size == 1:
            decoding = replace(decoding, repetition_penalty=self._repetition_penalty)
        parts = await asyncio.gather(
            *(self._piece(text, prompt, decoding=decoding, context=context) for text, prompt in sentence.pieces)
        )
        if [text for text, _ in sentence.pieces] == [sentence.sentence]:
            return parts[0]
        return await self._joined(sentence.sentence, parts, context=context)

    async def _piece(
        self, text: str, prompt: Prompt | None, *, decoding: Decoding, context: RequestContext
    ) -> SentenceTranslation:
        if prompt is None:
            return SentenceTranslation.copied(text)
        return await self._with_fallback(text, prompt, decoding=decoding, context=context)

    def _fits(self, text: str) -> bool:
        try:
            self._prompt(text)
        except InputTooLongError:
            return False
        return True

    def _prompt(self, text: str) -> Prompt:
        return self._engine.backend.translation_prompt(text, source=self._hop.source, target=self._hop.target)

    async def _with_fallback(
        self, piece: str, prompt: Prompt, *, decoding: Decoding, context: RequestContext
    ) -> SentenceTranslation:
        """Translate `piece`; while it looks wrong with a changed prompt or decoding, then in halves; keep the best."""
        attempts = [await self._once(piece, prompt, decoding=decoding, context=context)]
        if self._fallback_decoding and _badness(attempts[0]):
            fallback = replace(decoding, repetition_penalty=FALLBACK_REPETITION_PENALTY)
            other = prompt if _loops(attempts[0]) else self._changed_prompt(piece, prompt)
            again = fallback if other == prompt else decoding
            attempts.append(await self._once(piece, other, decoding=again, context=context))
            if attempts[1].finish_reason is FinishReason.LENGTH:
                attempts.append(await self._in_halves(piece, decoding=fallback, context=context))
        best = min(attempts, key=_badness)
        return replace(best, usage=Usage.of_one_segment(attempt.usage for attempt in attempts))

    def _changed_prompt(self, piece: str, prompt: Prompt) -> Prompt:
        """Another prompt for `piece`, or the same: where the tokenizer makes no difference, or it would be too long.

        With a space behind it the model answers otherwise, and the sequence shares the batches of all others, which one
        that is decoded in its own way hardly can. FLORES-200 devtest, 400 lines in six directions, 2026-11-26: of 118
        sentences that looked wrong the penalty repaired 65, the space 60, and the penalty for loops with the space for
        the others 74 (chrF++ of the 118: 25.4 as they were, 27.7, 27.8, 28.4; loops: 32 of 34 and 18 of 34).
        """
        try:
            return self._prompt(f"{piece} ")
        except InputTooLongError:
            return prompt

    async def _in_halves(self, piece: str, *, decoding: Decoding, context: RequestContext) -> SentenceTranslation:
        halves = [half.strip() for half in split_near_middle(piece) if half.strip()]
        parts = await asyncio.gather(
            *(self._once(half, self._prompt(half), decoding=decoding, context=context) for half in halves)
        )
        return await self._joined(piece, parts, separator=" ", context=context)

    async def _once(
        self, piece: str, prompt: Prompt, *, decoding: Decoding, context: RequestContext
    ) -> SentenceTranslation:
        answer = await self._engine.submit(prompt, decoding, context=context)
        usage = Usage(
            input_tokens=len(prompt.tokens),
            output_tokens=answer.output.tokens,
            queue_ms=answer.queue_ms,
            inference_ms=answer.inference_ms,
            cached_segments=int(answer.cached),
        )
        reason = FinishReason.LENGTH if answer.output.reached_cap else FinishReason.STOP
        return await self._checked(piece, answer.output.text, reason, usage, context=context)

    async def _joined(
        self, source: str, parts: Sequence[SentenceTranslation], *, separator: str = "", context: RequestContext
    ) -> SentenceTranslation:
        capped = any(part.finish_reason is FinishReason.LENGTH for part in parts)
        reason = FinishReason.LENGTH if capped else FinishReason.STOP
        usage = Usage.of_one_segment(part.usage for part in parts if part.finish_reason is not FinishReason.COPIED)
        return await self._checked(source, separator.join(part.text for part in parts), reason, usage, context=context)

    async def _checked(
        self, source: str, text: str, reason: FinishReason, usage: Usage, *, context: RequestContext
    ) -> SentenceTranslation:
        if self._hop.target == "bm":
            text = standardise_bambara(text)
        findings = await context.run_and_yield(
            lambda: check(source, text, source_language=self._hop.source, target_language=self._hop.target)
        )
        return SentenceTranslation(text, reason, tuple(findings), usage)


def _loops(sentence: SentenceTranslation) -> bool:
    repeats = any(finding.type is FindingType.REPETITION for finding in sentence.findings)
    return repeats or sentence.finish_reason is FinishReason.LENGTH


def _badness(sentence: SentenceTranslation) -> int:
    """How wrong a sentence looks; 0 needs no fallback. A missing end is worse than anything else."""
    retried = sum(finding.type in RETRIED_FINDINGS for finding in sentence.findings)
    return retried + (len(RETRIED_FINDINGS) + 1) * (sentence.finish_reason is FinishReason.LENGTH)
