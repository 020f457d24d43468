"""What is done to an item of a job: the same as to a call of its own, after the calls. Message -> call -> message."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import traceback
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import kunnafoni
from kunnafoni.engine.caller import Caller, Priority
from kunnafoni.errors import (
    CancelledCallError,
    DeadlyItemError,
    DrainingError,
    InternalError,
    KunnafoniError,
    LoadingError,
    OverloadedError,
    UnavailableError,
)
from kunnafoni.jobs.work import Outcome
from kunnafoni.languages import LANGUAGES
from kunnafoni.rpc.job_options import merged
from kunnafoni.rpc.status import to_status
from kunnafoni.v1 import job_pb2, summarization_pb2
from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from kunnafoni.jobs.work import ClaimedItem
    from kunnafoni.translation.model_pool import ModelPool
    from kunnafoni.v1 import translation_pb2

LOG = logging.getLogger(__name__)
MAX_CALLERS = 64
ResultT = TypeVar("ResultT")


class Translate(Protocol):
    """Translates one text; see `Translator.begin`."""

    async def __call__(
        self, text: str, *, source: str | None, target: str, decoding: Decoding, caller: Caller
    ) -> translation_pb2.Translation:
        """Translate `text`; `source` None means detect."""
        ...


class Summarize(Protocol):
    """Makes the editions of one article."""

    async def __call__(
        self, request: summarization_pb2.SummarizeRequest, *, caller: Caller
    ) -> Sequence[summarization_pb2.Edition]:
        """One edition a target language, in order."""
        ...


class PipelineWork:
    """A `kunnafoni.jobs.work.Work` on the pipeline of the server."""

    def __init__(self, translate: Translate, summarize: Summarize, *, revisions: Callable[[], str]) -> None:
        """Connect it.

        Args:
            translate: Translates a text.
            summarize: Makes editions.
            revisions: Everything beside content and options that results depend on, as one string; it may change.
        """
        self._translate = translate
        self._summarize = summarize
        self._revisions = revisions
        self._callers: dict[int, Caller] = {}

    def fingerprints(self, items: Sequence[ClaimedItem]) -> list[bytes]:
        """See Work."""
        revisions = self._revisions()
        return [_fingerprint(item, revisions) for item in items]

    def give_up(self, item: ClaimedItem) -> Outcome:
        """See Work."""
        LOG.error("item %d of job %d has killed servers %d times", item.position, item.job, item.deaths)
        return _failed(item, DeadlyItemError(deaths=item.deaths))

    async def run(self, item: ClaimedItem) -> Outcome:
        """See Work."""
        revisions = self._revisions()
        try:
            result = await self._result(item)
        except (OverloadedError, UnavailableError):
            raise
        except CancelledCallError as error:  # the engine is closing: the item is another server's or another day's
            raise DrainingError from error
        except KunnafoniError as error:
            return _failed(item, error)
        except Exception as error:  # noqa: BLE001 - a bug costs its item, never the job
            request_id = f"job-{item.job}-{item.position}"
            # Without the error's own words, which may quote the article.
            trace = "".join(traceback.format_tb(error.__traceback__))
            LOG.error("bug in %s: %s\n%s", request_id, type(error).__name__, trace)  # noqa: TRY400
            return _failed(item, InternalError(request_id=request_id))
        segments = sum(len(translation.segments) for translation in result.translations) + len(result.editions)
        # Models that were changed meanwhile may each have had a part in it: nobody else is given that.
        fingerprint = _fingerprint(item, revisions) if self._revisions() == revisions else None
        return Outcome(item, body=result.SerializeToString(), segments=segments, fingerprint=fingerprint)

    async def _result(self, item: ClaimedItem) -> job_pb2.JobResult:
        kind, content, options = _read(item)
        caller = self._caller(item.job)
        if kind == job_pb2.JOB_KIND_SUMMARIZE:
            request = summarization_pb2.SummarizeRequest(
                article=content.article,
                target_language_codes=options.target_language_codes,
                length=options.length,
                max_words=options.max_words,
                key_points=options.key_points if options.HasField("key_points") else None,
            )
            request.article.language_code = content.article.language_code or options.source_language_code
            return job_pb2.JobResult(editions=await self._summarize(request, caller=caller))
        decoding = Decoding(beam_size=options.decoding.beam_size or 1)
        source = options.source_language_code or None
        translations = (
            self._translate(content.text, source=source, target=target, decoding=decoding, caller=caller)
            for target in options.target_language_codes
        )
        return job_pb2.JobResult(translations=await _all(translations))

    def _caller(self, job: int) -> Caller:
        """One caller a job: jobs share the engine fairly, and the items of one finish in order, not all at the end."""
        if job not in self._callers and len(self._callers) == MAX_CALLERS:
            del self._callers[next(iter(self._callers))]
        return self._callers.setdefault(job, Caller(priority=Priority.JOB))


async def _all(work: Iterable[Coroutine[Any, Any, ResultT]]) -> list[ResultT]:
    """Await all at the same time; the first error cancels the others."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _read(item: ClaimedItem) -> tuple[job_pb2.JobKind.ValueType, job_pb2.JobItem, job_pb2.JobOptions]:
    spec = job_pb2.JobSpec.FromString(item.spec)
    content = job_pb2.JobItem.FromString(item.body)
    return spec.kind, content, merged(spec.options, content.options)


def _fingerprint(item: ClaimedItem, revisions: str) -> bytes:
    kind, content, options = _read(item)
    content.ClearField("options")
    digest = hashlib.blake2b(digest_size=16)
    parts = (content.SerializeToString(deterministic=True), options.SerializeToString(deterministic=True))
    for part in (bytes([kind]), *parts, revisions.encode()):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def revisions_of(model_pool: ModelPool) -> str:
    """What results depend on beside content and options: this version, its settings, and which models do what."""
    routes = [hops for _, hops in sorted(model_pool.routes().items())]
    models = [model_pool.entries[model_id].fingerprint for model_id in sorted(model_pool.statuses())]
    try:
        summaries = [
            f"{model_pool.summary_hop(language)} {model_pool.extracts_better(language)}" for language in LANGUAGES
        ]
    except LoadingError:  # models are being changed: items wait for them
        summaries = []
    return " ".join(
        (kunnafoni.__version__, f"second_tries={model_pool.second_tries}", *models, *map(str, routes), *summaries)
    )


def _failed(item: ClaimedItem, error: KunnafoniError) -> Outcome:
    result = job_pb2.JobResult()
    result.error.Pack(to_status(error))
    return Outcome(item, body=result.SerializeToString(), failed=True)
