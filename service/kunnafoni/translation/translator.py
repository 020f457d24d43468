"""Contents into another language: content -> segments -> route -> engine -> content.

Puts texts together again so that whatever is not translated comes back exactly as it was, and says for each segment
where it lies, how it ended and what looks wrong. It knows no gRPC and runs no model itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kunnafoni.checks.registry import Finding, Span
from kunnafoni.engine.caller import Priority
from kunnafoni.errors import ModelChangedError, UndetectedLanguageError
from kunnafoni.languages import UNDETERMINED
from kunnafoni.text.executor import on_texts
from kunnafoni.text.language_id import identify
from kunnafoni.text.segments import Segment, SegmentKind, split
from kunnafoni.translation.sentence_translator import FinishReason, Sentence, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping, Sequence

    from kunnafoni.engine.caller import Caller
    from kunnafoni.text.language_id import Detection
    from kunnafoni.translation.model_pool import ModelPool
    from kunnafoni.translation.routes import Hop
    from kunnafoni.translation.sentence_translator import Prepared, SentenceTranslator
    from kunnafoni_models.backend import Decoding

# What a code point weighs in the engine at the least, prompt and output cap: of the sentences of FLORES-200 dev none
# weighs less, and the median is 0.7 (French to English) to 1.1 (Bambara to French).
LEAST_TOKENS_OF_CODE_POINT = 0.5
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
class _Draft:
    """A content made ready: its language, its segments, and what is to be translated of them, by their index."""

    segments: tuple[Segment, ...]
    source: str
    detection: Detection | None
    route: tuple[Hop, ...] = ()
    translator: SentenceTranslator | None = None
    prepared: Mapping[int, Prepared] = field(default_factory=dict[int, "Prepared"])


class PendingTranslation:
    """A content whose segments are being translated. Read `pieces` to its end once, then `usage` is complete."""

    def __init__(self, draft: _Draft, work: dict[int, asyncio.Task[Sentence]]) -> None:
        self.source = draft.source
        self.detection = draft.detection
        self.route = draft.route
        self.usage = Usage()
        self._segments = draft.segments
        self._work = work

    async def pieces(self) -> AsyncIterator[Piece]:
        """The pieces of the translation in the order of the text, each as soon as it and all before it are done.

        Raises:
            KunnafoniError: the engine refused or dropped the work.
        """
        before, length, placed = "", 0, 0
        for index, segment in enumerate(self._segments):
            if segment.kind is SegmentKind.GAP:
                before += segment.text
                continue
            if index in self._work:
                sentence = await self._work[index]
                self.usage += sentence.usage
            else:
                sentence = Sentence.copied(segment.text)
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
            KunnafoniError: the engine refused or dropped the work.
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


def _place(segment: Segment, sentence: Sentence, start: int) -> TranslatedSegment:
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


class Translator:
    """Translates contents with whatever models are ready."""

    def __init__(self, model_pool: ModelPool) -> None:
        self._model_pool = model_pool
        self._being_read: defaultdict[str, list[int]] = defaultdict(list)

    @asynccontextmanager
    async def begin(
        self, contents: Sequence[str], *, source: str | None, target: str, decoding: Decoding, caller: Caller
    ) -> AsyncGenerator[list[PendingTranslation]]:
        """Start translating `contents` to `target`; one PendingTranslation each, in order.

        A `source` of None means detect, for each content by itself. A content already in `target` is copied. What is
        still running when the context ends is cancelled.

        Raises:
            UndetectedLanguageError: a content's language is not recognised.
            UnsupportedPairError: no ready model serves a pair.
            ModelChangedError: models were taken away twice while the contents were read.
            OverloadedError: a model's queue has no room for all of them.
            InvalidInputError: a segment is too heavy for its model with so large a beam.
        """
        with self._knocked(contents, source, target, decoding, caller):
            try:
                drafts = await self._admitted(contents, source, target, decoding, caller)
            except ModelChangedError:  # the route was planned just before
                drafts = await self._admitted(contents, source, target, decoding, caller)
        tasks: list[asyncio.Task[Sentence]] = []
        try:
            work = [await _start(draft, tasks, decoding=decoding, caller=caller) for draft in drafts]
            yield list(map(PendingTranslation, drafts, work))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @contextmanager
    def _knocked(
        self, contents: Sequence[str], source: str | None, target: str, decoding: Decoding, caller: Caller
    ) -> Generator[None]:
        """Refuse at once, by size alone, what would be refused after all the work of splitting and tokenising it.

        What others of the same model are being read for counts as if it were in the queue. While that is full, a large
        text that needs no model is refused as well; nobody has looked at it.
        """
        models = self._model_pool.first_models(source, target)
        if len(models) != 1 or caller.priority is Priority.JOB:
            yield
            return
        [model_id] = models
        weight = round(sum(map(len, contents)) * decoding.beam_size * LEAST_TOKENS_OF_CODE_POINT)
        others = self._being_read[model_id]
        self._model_pool.engine(model_id).check_room(weight, caller=caller, coming=sum(min(weight, w) for w in others))
        others.append(weight)
        try:
            yield
        finally:
            others.remove(weight)

    async def _admitted(
        self, contents: Sequence[str], source: str | None, target: str, decoding: Decoding, caller: Caller
    ) -> list[_Draft]:
        drafts = await on_texts(sum(map(len, contents)), self._draft_all, contents, source, target)
        self._admit(drafts, decoding, caller)
        return drafts

    def _draft_all(self, contents: Sequence[str], source: str | None, target: str) -> list[_Draft]:
        return [self._draft(content, source, target, f"contents[{i}]") for i, content in enumerate(contents)]

    def _draft(self, content: str, source: str | None, target: str, field: str) -> _Draft:
        detection = None if source else identify(content)
        language = detection.language_code if detection else source or UNDETERMINED
        segments = tuple(split(content, language))
        texts = {index: segment for index, segment in enumerate(segments) if segment.kind is SegmentKind.TEXT}
        if detection and texts and language == UNDETERMINED:
            raise UndetectedLanguageError(field, detection.language_code, detection.confidence)
        if not texts or language == target:
            return _Draft(segments, language, detection)
        route = self._model_pool.route(language, target)
        translator = self._model_pool.sentence_translator(route)
        prepared = {index: translator.prepare(segment.text) for index, segment in texts.items()}
        return _Draft(segments, language, detection, route, translator, prepared)

    def _admit(self, drafts: Sequence[_Draft], decoding: Decoding, caller: Caller) -> None:
        """Let in the whole call at the models of each route, or none of it; a later hop counts as the first."""
        weights: Counter[str] = Counter()
        for draft in drafts:
            if draft.route:
                rows = [weight for prepared in draft.prepared.values() for weight in prepared.weights]
                first = self._model_pool.engine(draft.route[0].model_id)
                first.check_weight(max(rows, default=0) * decoding.beam_size)
                for hop in draft.route:
                    weights[hop.model_id] += sum(rows) * decoding.beam_size
        # A caller is admitted once and for all models, so every model is asked before one lets it in.
        for model_id, weight in weights.items():
            self._model_pool.engine(model_id).check_room(weight, caller=caller)
        for model_id, weight in weights.items():
            self._model_pool.engine(model_id).admit(weight, caller=caller)


async def _start(
    draft: _Draft, tasks: list[asyncio.Task[Sentence]], *, decoding: Decoding, caller: Caller
) -> dict[int, asyncio.Task[Sentence]]:
    """Start translating what a draft holds; each task is added to `tasks` as well, whatever happens meanwhile."""
    work: dict[int, asyncio.Task[Sentence]] = {}
    if draft.translator is None:
        return work
    for index, prepared in draft.prepared.items():
        work[index] = asyncio.create_task(draft.translator.translate(prepared, decoding=decoding, caller=caller))
        tasks.append(work[index])
        if len(tasks) % AT_ONCE == 0:
            await asyncio.sleep(0)
    return work
