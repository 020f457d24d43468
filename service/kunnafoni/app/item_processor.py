"""What is done to an item of a job: the same as to a call of its own, after the calls. Values in, values out."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Any, TypeVar

from kunnafoni.engine.request_context import Priority, RequestContext
from kunnafoni.errors import (
    CancelledCallError,
    DrainingError,
    InternalError,
    InvalidInputError,
    KunnafoniError,
    OverloadedError,
    UnavailableError,
)
from kunnafoni.jobs.values import ItemResult, JobKind
from kunnafoni.summarization.article_analysis import MEDIUM, Article, Length
from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from kunnafoni.jobs.values import JobItem, JobOptions, JobSpec
    from kunnafoni.summarization.edition import Edition
    from kunnafoni.summarization.summarizer import Summarizer
    from kunnafoni.translation.contents import Translation
    from kunnafoni.translation.translator import Translator

LOG = logging.getLogger(__name__)
DEFAULT_KEY_POINTS = 3
MAX_CONTEXTS = 64
ResultT = TypeVar("ResultT")


class ItemProcessor:
    """Translates or summarises one item at a time; items of one job share the models as one request does."""

    def __init__(self, translator: Translator, summarizer: Summarizer) -> None:
        self._translator = translator
        self._summarizer = summarizer
        self._contexts: dict[int, RequestContext] = {}

    async def process(self, spec: JobSpec, item: JobItem, *, job: int, position: int) -> ItemResult:
        """Do what `spec` asks for to `item`; an error that is the item's own is a result too.

        Args:
            spec: The job, whose options the item's own take precedence over.
            item: A text or an article.
            job: Number of the job.
            position: Place of the item in the job, for the log.

        Raises:
            OverloadedError, UnavailableError: it can be done later.
        """
        options = spec.options.merged_with(item.options)
        context = self._context(job)
        try:
            if spec.kind is JobKind.SUMMARIZE:
                return ItemResult(editions=await self._editions(item, options, context))
            return ItemResult(translations=await self._translations(item, options, context))
        except (OverloadedError, UnavailableError):
            raise
        except CancelledCallError as error:  # the engine is closing: the item is another server's or another day's
            raise DrainingError from error
        except KunnafoniError as error:
            return ItemResult(error=error)
        except Exception as error:  # noqa: BLE001 - a bug costs its item, never the job
            request_id = f"job-{job}-{position}"
            # Without the error's own words, which may quote the article.
            trace = "".join(traceback.format_tb(error.__traceback__))
            LOG.error("bug in %s: %s\n%s", request_id, type(error).__name__, trace)  # noqa: TRY400
            return ItemResult(error=InternalError(request_id=request_id))

    async def _translations(
        self, item: JobItem, options: JobOptions, context: RequestContext
    ) -> tuple[Translation, ...]:
        decoding = Decoding(beam_size=options.beam_size or 1)
        return await _all(
            self._translation(item.text, source=options.source, target=target, decoding=decoding, context=context)
            for target in options.targets
        )

    async def _translation(
        self, text: str, *, source: str | None, target: str, decoding: Decoding, context: RequestContext
    ) -> Translation:
        begun = self._translator.begin([text], source=source, target=target, decoding=decoding, context=context)
        async with begun as [pending]:
            return await pending.whole()

    async def _editions(self, item: JobItem, options: JobOptions, context: RequestContext) -> tuple[Edition, ...]:
        if not (item.headline.strip() or item.text.strip()):
            raise InvalidInputError(
                "article.body", "is empty, and there is no headline", french="est vide, et il n'y a pas de titre"
            )
        begun = self._summarizer.begin(
            Article(item.headline, item.text, item.language or options.source),
            options.targets,
            length=_length(options),
            key_points=DEFAULT_KEY_POINTS if options.key_points is None else options.key_points,
            context=context,
        )
        async with begun as pending:
            return tuple([edition async for edition in pending.editions()])

    def _context(self, job: int) -> RequestContext:
        """The one request context of a job: jobs share the engine fairly, and the items of a job finish in order."""
        if job not in self._contexts and len(self._contexts) == MAX_CONTEXTS:
            del self._contexts[next(iter(self._contexts))]
        return self._contexts.setdefault(job, RequestContext(priority=Priority.JOB))


def _length(options: JobOptions) -> Length:
    if options.max_words:
        return Length(options.max_words, options.max_words)
    return options.length or MEDIUM


async def _all(work: Iterable[Coroutine[Any, Any, ResultT]]) -> tuple[ResultT, ...]:
    """Await all at the same time; the first error cancels the others."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        return tuple(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
