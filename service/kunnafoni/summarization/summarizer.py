"""Makes the editions of an article: it analyses the article, writes one summary, and makes one edition per language.

It knows no gRPC and runs no model itself.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kunnafoni.languages import UNDETERMINED
from kunnafoni.summarization.article_analysis import analyse_article
from kunnafoni.summarization.edition import EditionMaker
from kunnafoni.summarization.model_input import ModelInputMaker
from kunnafoni.summarization.summaries import SummaryWriter
from kunnafoni.text.executor import run_in_text_executor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.summarization.article_analysis import AnalysedArticle, Article, Length
    from kunnafoni.summarization.edition import Edition
    from kunnafoni.summarization.summaries import Summary
    from kunnafoni.text.language_id import Detection
    from kunnafoni.translation.model_pool import ModelPool
    from kunnafoni.translation.routes import Hop
    from kunnafoni.translation.translator import Translator

PIVOTS = ("fr", "en")
"""Pivot languages for an article that no model summarises in its own language, first choice first."""


@dataclass(frozen=True, slots=True)
class PendingEditions:
    """Editions that are being made.

    Attributes:
        source: Language of the article: `en`, `fr`, `bm` or `und`.
        detection: How it was detected; None if it was given.
        tasks: One task per edition, in the order asked for.
    """

    source: str
    detection: Detection | None
    tasks: Sequence[asyncio.Task[Edition]]

    async def editions(self) -> AsyncIterator[Edition]:
        """Yield the editions in the order asked for, each as soon as it and all before it are done.

        Raises:
            KunnafoniError: an engine refused or dropped the work.
        """
        for task in self.tasks:
            yield await task


class Summarizer:
    """Makes editions with the models that are ready."""

    def __init__(self, model_pool: ModelPool, translator: Translator, *, max_sequence_tokens: int) -> None:
        """Connect it; `max_sequence_tokens` is the highest `Engine.token_cost` that an engine accepts."""
        self._model_pool = model_pool
        self._translator = translator
        self._writer = SummaryWriter(
            model_pool, ModelInputMaker(model_pool, translator), max_sequence_tokens=max_sequence_tokens
        )

    @asynccontextmanager
    async def begin(
        self, article: Article, targets: Sequence[str], *, length: Length, key_points: int, context: RequestContext
    ) -> AsyncGenerator[PendingEditions]:
        """Start making the editions of `article` in `targets`. What still runs when the context ends is cancelled.

        The summary is made once; its usage is counted in the first edition.

        Raises:
            UndetectedLanguageError: the article's language is not recognised.
            UnsupportedPairError: no ready model translates it to one of `targets`.
            OverloadedError: a model's queue has no room.
        """
        analysed = await run_in_text_executor(len(article.body), analyse_article, article, points=key_points)
        hop = self._plan(analysed.language, targets)
        summary = asyncio.create_task(self._writer.write(analysed, length, hop=hop, context=context))
        editions = [
            asyncio.create_task(self._edition(analysed, summary, target, first=not place, context=context))
            for place, target in enumerate(targets)
        ]
        try:
            yield PendingEditions(analysed.language, analysed.detection, editions)
        finally:
            for task in (summary, *editions):
                task.cancel()
            await asyncio.gather(summary, *editions, return_exceptions=True)

    def _plan(self, language: str, targets: Sequence[str]) -> Hop | None:
        """Choose the model that summarises an article in `language`.

        None if the article's best sentences are better than what models write, or if no model summarises in `language`
        or in a pivot language that all `targets` can be reached from.

        Raises:
            UnsupportedPairError: see `begin`.
        """
        if language == UNDETERMINED:
            return None
        for target in targets:
            if target != language:
                self._model_pool.route(language, target)
        if self._model_pool.extracts_better(language):
            return None
        if hop := self._model_pool.summary_hop(language):
            return hop
        served = self._model_pool.routes().keys()
        for pivot in PIVOTS:
            needed = {(language, pivot), *((pivot, target) for target in targets if target != pivot)}
            if needed <= served and (hop := self._model_pool.summary_hop(pivot)):
                return hop
        return None

    async def _edition(
        self,
        article: AnalysedArticle,
        summary: asyncio.Task[Summary],
        target: str,
        *,
        first: bool,
        context: RequestContext,
    ) -> Edition:
        written = await summary
        edition = await EditionMaker(self._translator, article, written, context=context).make(target)
        return replace(edition, usage=written.usage + edition.usage) if first else edition
