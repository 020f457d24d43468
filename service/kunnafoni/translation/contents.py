"""One content on its way: analysed, being translated, and put together again.

Whatever is not translated comes back exactly as it was; each segment says where it lies, how it ended and what looks
wrong. It knows no models and no requests.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kunnafoni.text.segments import Segment, SegmentKind
from kunnafoni.text.spans import Span
from kunnafoni.translation.sentences import FinishReason, SentenceTranslation, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from kunnafoni.checks.finding import Finding
    from kunnafoni.errors import KunnafoniError
    from kunnafoni.text.language_id import Detection
    from kunnafoni.translation.routes import Hop
    from kunnafoni.translation.sentences import SentenceTranslator, TokenizedSentence

# Sentences that are started or put together in one turn of the event loop: each takes up to 0.1 ms of it, and a content
# may have tens of thousands.
AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class TranslatedSegment:
    """A segment and its translation; spans count from the beginning of the content and of its translation."""

    source: Span
    target: Span
    finish_reason: FinishReason
    findings: tuple[Finding, ...]

    @property
    def machine_generated(self) -> bool:
        """Whether a model wrote it."""
        return self.finish_reason is not FinishReason.COPIED


@dataclass(frozen=True, slots=True)
class Piece:
    """The next piece of a translated content: a segment with what stands before it, or what follows the last one."""

    text: str
    segment: TranslatedSegment | None


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated content, whole; `detection` is None if the caller named the language."""

    text: str
    segments: tuple[TranslatedSegment, ...]
    source: str
    detection: Detection | None
    route: tuple[Hop, ...]
    usage: Usage

    @property
    def machine_generated(self) -> bool:
        """Whether a model wrote any of it."""
        return any(segment.machine_generated for segment in self.segments)


@dataclass(frozen=True, slots=True)
class AnalysedContent:
    """A content made ready: its language, its segments, and what is to be translated of them, by their index.

    Attributes:
        source: Its language; empty if nobody has looked at it.
        error: Why it cannot be translated; it has no segments then.
    """

    segments: tuple[Segment, ...]
    source: str
    detection: Detection | None
    route: tuple[Hop, ...] = ()
    translator: SentenceTranslator | None = None
    sentences: Mapping[int, TokenizedSentence] = field(default_factory=dict[int, "TokenizedSentence"])
    error: KunnafoniError | None = None


class PendingTranslation:
    """A content whose segments are being translated. Read `pieces` to its end once, then `usage` is complete.

    Attributes:
        source: Its language: the one given or detected, `und` if none was recognised.
        detection: None if the caller named the language.
        error: Why it cannot be translated, which is its own and not the call's; None if it can.
    """

    def __init__(self, content: AnalysedContent, work: dict[int, asyncio.Task[SentenceTranslation]]) -> None:
        self.source = content.source
        self.detection = content.detection
        self.route = content.route
        self.error = content.error
        self.usage = Usage()
        self._segments = content.segments
        self._work = work

    async def pieces(self) -> AsyncIterator[Piece]:
        """The pieces of the translation in the order of the text, each as soon as it and all before it are done.

        Raises:
            KunnafoniError: `error`, or the engine refused or dropped the work.
        """
        if self.error:
            raise self.error
        before, length, placed = "", 0, 0
        for index, segment in enumerate(self._segments):
            if segment.kind is SegmentKind.GAP:
                before += segment.text
                continue
            if index in self._work:
                sentence = await self._work[index]
                self.usage += sentence.usage
            else:
                sentence = SentenceTranslation.copied(segment.text)
            start = length + len(before)
            length = start + len(sentence.text)
            yield Piece(before + sentence.text, _place(segment, sentence, start))
            before = ""
            placed += 1
            if placed % AT_ONCE == 0:
                await asyncio.sleep(0)
        yield Piece(before, None)

    async def whole(self) -> Translation:
        """The translation, when all of it is done; in place of `pieces`.

        Raises:
            KunnafoniError: as `pieces`.
        """
        pieces = [piece async for piece in self.pieces()]
        return Translation(
            text="".join(piece.text for piece in pieces),
            segments=tuple(piece.segment for piece in pieces if piece.segment),
            source=self.source,
            detection=self.detection,
            route=self.route,
            usage=self.usage,
        )


def _place(segment: Segment, sentence: SentenceTranslation, start: int) -> TranslatedSegment:
    """Count the spans of `sentence` from the beginning of the texts."""
    findings = tuple(
        replace(
            finding,
            source_span=finding.source_span and finding.source_span.shifted(segment.start),
            target_span=finding.target_span and finding.target_span.shifted(start),
        )
        for finding in sentence.findings
    )
    return TranslatedSegment(
        Span(segment.start, segment.end), Span(start, start + len(sentence.text)), sentence.finish_reason, findings
    )
