"""Contents into another language: content -> segments -> route -> engine -> content.

It plans, admits and starts the work; `contents.py` puts the texts together again. It knows no gRPC and runs no model
itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kunnafoni.engine.request_context import Priority
from kunnafoni.errors import ModelChangedError, UndetectedLanguageError, UnsupportedPairError
from kunnafoni.languages import UNDETERMINED
from kunnafoni.text.executor import run_in_text_executor
from kunnafoni.text.language_id import identify
from kunnafoni.text.letter_case import LetterCase, letter_case, names_in
from kunnafoni.text.segments import SegmentKind, split
from kunnafoni.translation.contents import AT_ONCE, AnalysedContent, PendingTranslation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping, Sequence

    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.errors import KunnafoniError
    from kunnafoni.translation.model_pool import ModelPool
    from kunnafoni.translation.sentences import SentenceTranslation
    from kunnafoni_models.backend import Decoding

# What a code point weighs in the engine at the least, prompt and output cap: of the sentences of FLORES-200 dev none
# weighs less, and the median is 0.7 (French to English) to 1.1 (Bambara to French).
LEAST_TOKENS_OF_CODE_POINT = 0.5


@dataclass(frozen=True, slots=True)
class _Request:
    """What `Translator.begin` is asked for, which explains it."""

    contents: Sequence[str]
    rejected: Mapping[int, KunnafoniError]
    source: str | None
    target: str
    decoding: Decoding
    context: RequestContext

    @property
    def code_points(self) -> int:
        """Of the contents that are to be translated."""
        return sum(len(content) for place, content in enumerate(self.contents) if place not in self.rejected)


class Translator:
    """Translates contents with whatever models are ready."""

    def __init__(self, model_pool: ModelPool) -> None:
        self._model_pool = model_pool
        self._reserved: defaultdict[str, list[int]] = defaultdict(list)

    @asynccontextmanager
    async def begin(
        self,
        contents: Sequence[str],
        *,
        source: str | None,
        target: str,
        decoding: Decoding,
        context: RequestContext,
        rejected: Mapping[int, KunnafoniError] | None = None,
    ) -> AsyncGenerator[list[PendingTranslation]]:
        """Start translating `contents` to `target`; one PendingTranslation each, in order.

        A content whose language is not recognised, or whose detected language no model translates to `target`, has an
        error of its own. What is still running when the context ends is cancelled.

        Args:
            contents: Texts. One that is already in `target` is copied.
            source: Language of all of them; None means: detect it, for each content by itself.
            target: Language wanted.
            decoding: How the models search.
            context: Of the request that waits.
            rejected: Errors by the place of contents that are not to be translated.

        Raises:
            UnsupportedPairError: no ready model serves the pair of `source` and `target`.
            ModelChangedError: models were taken away twice while the contents were analysed.
            OverloadedError: a model's queue has no room for all of them.
            InvalidInputError: a segment is too heavy for its model with so large a beam.
        """
        request = _Request(contents, rejected or {}, source, target, decoding, context)
        with self._capacity_reserved(request):
            try:
                analysed = await self._admitted(request)
            except ModelChangedError:  # the route was planned just before
                analysed = await self._admitted(request)
        tasks: list[asyncio.Task[SentenceTranslation]] = []
        try:
            work = [await _start(content, tasks, decoding=decoding, context=context) for content in analysed]
            yield list(map(PendingTranslation, analysed, work))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @contextmanager
    def _capacity_reserved(self, request: _Request) -> Generator[None]:
        """Refuse at once, by size alone, what would be refused after all the work of splitting and tokenising it.

        What is reserved for others of the same model counts as if it were in the queue. While that is full, a large
        text that needs no model is refused as well; nobody has looked at it.
        """
        models = self._model_pool.first_models(request.source, request.target)
        if len(models) != 1 or request.context.priority is Priority.JOB:
            yield
            return
        [model_id] = models
        tokens = round(request.code_points * request.decoding.beam_size * LEAST_TOKENS_OF_CODE_POINT)
        others = self._reserved[model_id]
        reserved_tokens = sum(min(tokens, other) for other in others)
        engine = self._model_pool.engine(model_id)
        engine.check_capacity(tokens, context=request.context, reserved_tokens=reserved_tokens)
        others.append(tokens)
        try:
            yield
        finally:
            others.remove(tokens)

    async def _admitted(self, request: _Request) -> list[AnalysedContent]:
        analysed = await run_in_text_executor(request.code_points, self._analyse_all, request)
        self._admit(analysed, request)
        return analysed

    def _analyse_all(self, request: _Request) -> list[AnalysedContent]:
        return [
            AnalysedContent((), request.source or "", None, error=request.rejected[place])
            if place in request.rejected
            else self._analyse(content, request, f"contents[{place}]")
            for place, content in enumerate(request.contents)
        ]

    def _analyse(self, content: str, request: _Request, field: str) -> AnalysedContent:
        detection = None if request.source else identify(content)
        language = detection.language_code if detection else request.source or UNDETERMINED
        segments = tuple(split(content, language))
        texts = {index: segment for index, segment in enumerate(segments) if segment.kind is SegmentKind.TEXT}
        if detection and texts and language == UNDETERMINED:
            error = UndetectedLanguageError(field, detection.language_code, detection.confidence)
            return AnalysedContent((), language, detection, error=error)
        if not texts or language == request.target:
            return AnalysedContent(segments, language, detection)
        try:
            route = self._model_pool.route(language, request.target)
        except UnsupportedPairError as error:
            if detection is None:
                raise
            return AnalysedContent((), language, detection, error=error)
        translator = self._model_pool.sentence_translator(route, _names([segment.text for segment in texts.values()]))
        sentences = {index: translator.tokenize(segment.text) for index, segment in texts.items()}
        return AnalysedContent(segments, language, detection, route, translator, sentences)

    def _admit(self, analysed: Sequence[AnalysedContent], request: _Request) -> None:
        """Admit the whole call at the models of each route, or nothing of it; a later hop counts like the first."""
        beam_size, context = request.decoding.beam_size, request.context
        token_costs: Counter[str] = Counter()
        for content in analysed:
            if content.route:
                sequences = [cost for sentence in content.sentences.values() for cost in sentence.token_costs]
                first = self._model_pool.engine(content.route[0].model_id)
                first.check_token_cost(max(sequences, default=0) * beam_size)
                for hop in content.route:
                    token_costs[hop.model_id] += sum(sequences) * beam_size
        # A request is admitted once for all models, so every model is asked before one admits it.
        for model_id, token_cost in token_costs.items():
            self._model_pool.engine(model_id).check_capacity(token_cost, context=context)
        for model_id, token_cost in token_costs.items():
            self._model_pool.engine(model_id).admit(token_cost, context=context)


def _names(texts: Sequence[str]) -> dict[str, str]:
    """How the other texts write their names, if one is in capitals or Title Case."""
    if all(letter_case(text) is LetterCase.SENTENCE for text in texts):
        return {}
    return names_in(texts)


async def _start(
    content: AnalysedContent,
    tasks: list[asyncio.Task[SentenceTranslation]],
    *,
    decoding: Decoding,
    context: RequestContext,
) -> dict[int, asyncio.Task[SentenceTranslation]]:
    """Start translating the sentences of a content; each task is added to `tasks` as well, whatever happens meanwhile.

    Returns:
        The task of each sentence by the index of its segment.
    """
    work: dict[int, asyncio.Task[SentenceTranslation]] = {}
    if content.translator is None:
        return work
    for index, sentence in content.sentences.items():
        work[index] = asyncio.create_task(content.translator.translate(sentence, decoding=decoding, context=context))
        tasks.append(work[index])
        if len(tasks) % AT_ONCE == 0:
            await asyncio.sleep(0)
    return work
