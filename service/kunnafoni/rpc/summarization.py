"""SummarizationService: message -> values, call, values -> message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kunnafoni.errors import InvalidInputError
from kunnafoni.rpc.requests import caller_of, check_summary_size, source_code, target_code
from kunnafoni.rpc.results import provenance_message, route_messages, span_message, usage_message
from kunnafoni.summarization.article_analysis import LONG, MEDIUM, SHORT, Article, Length
from kunnafoni.v1 import result_pb2, summarization_pb2, summarization_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    import grpc

    from kunnafoni.engine.caller import Caller
    from kunnafoni.rpc.requests import Limits
    from kunnafoni.summarization.edition import Edition, KeyPoint
    from kunnafoni.summarization.edition_findings import Remark
    from kunnafoni.summarization.summarizer import PendingEditions, Summarizer

    Context = grpc.aio.ServicerContext[Any, Any]
    Request = summarization_pb2.SummarizeRequest | summarization_pb2.SummarizeStreamRequest

DEFAULT_KEY_POINTS = 3
LENGTHS = {
    summarization_pb2.SUMMARY_LENGTH_UNSPECIFIED: MEDIUM,
    summarization_pb2.SUMMARY_LENGTH_SHORT: SHORT,
    summarization_pb2.SUMMARY_LENGTH_MEDIUM: MEDIUM,
    summarization_pb2.SUMMARY_LENGTH_LONG: LONG,
}


class SummarizationServicer(summarization_pb2_grpc.SummarizationServiceServicer):
    """Serves `summarization.proto`."""

    def __init__(self, summarizer: Summarizer, limits: Limits) -> None:
        self._summarizer = summarizer
        self._limits = limits

    async def Summarize(  # noqa: N802 - the names of RPCs are the wire's
        self, request: summarization_pb2.SummarizeRequest, context: Context
    ) -> summarization_pb2.SummarizeResponse:
        """See the proto."""
        with caller_of(context) as caller:
            async with self._begin(request, caller) as pending:
                return summarization_pb2.SummarizeResponse(
                    editions=[edition_message(edition) async for edition in pending.editions()],
                    source_language_code=pending.source,
                    detection_confidence=pending.detection and pending.detection.confidence,
                )

    async def SummarizeStream(  # noqa: N802
        self, request: summarization_pb2.SummarizeStreamRequest, context: Context
    ) -> AsyncIterator[summarization_pb2.SummarizeStreamResponse]:
        """See the proto."""
        with caller_of(context) as caller:
            async with self._begin(request, caller) as pending:
                async for edition in pending.editions():
                    yield summarization_pb2.SummarizeStreamResponse(
                        edition=edition_message(edition),
                        source_language_code=pending.source,
                        detection_confidence=pending.detection and pending.detection.confidence,
                    )

    def _begin(self, request: Request, caller: Caller) -> AbstractAsyncContextManager[PendingEditions]:
        if not request.target_language_codes:
            raise InvalidInputError("target_language_codes", "is empty; give at least one language")
        targets = [
            target_code(tag, f"target_language_codes[{place}]")
            for place, tag in enumerate(request.target_language_codes)
        ]
        if len(set(targets)) < len(targets):
            raise InvalidInputError("target_language_codes", "has a language twice")
        check_summary_size(max_words=request.max_words, key_points=request.key_points)
        return self._summarizer.begin(
            _article(request.article, self._limits),
            targets,
            length=_length(request),
            key_points=request.key_points if request.HasField("key_points") else DEFAULT_KEY_POINTS,
            caller=caller,
        )


def edition_message(edition: Edition) -> summarization_pb2.Edition:
    """An edition as a message."""
    parts = (
        (summarization_pb2.EDITION_PART_HEADLINE, edition.headline),
        (summarization_pb2.EDITION_PART_SUMMARY, edition.summary),
    )
    return summarization_pb2.Edition(
        language_code=edition.language,
        headline=edition.headline.text,
        summary=edition.summary.text,
        key_points=map(_key_point_message, edition.key_points),
        warnings=[
            summarization_pb2.EditionWarning(
                type=_warning_type(remark),
                part=part,
                span=remark.span and span_message(remark.span),
                detail=remark.detail,
                source_words=remark.source_words,
            )
            for part, passage in parts
            for remark in passage.remarks
        ],
        summary_method=summarization_pb2.SummaryMethod.Value(f"SUMMARY_METHOD_{edition.method}"),
        coverage=edition.coverage,
        route=route_messages(edition.route),
        provenance=provenance_message(machine_generated=edition.machine_generated),
        usage=usage_message(edition.usage),
    )


def _article(article: summarization_pb2.Article, limits: Limits) -> Article:
    if not (article.headline.strip() or article.body.strip()):
        raise InvalidInputError("article.body", "is empty, and there is no headline")
    code_points = len(article.headline) + len(article.body)
    if code_points > limits.max_content_code_points:
        at_most = f"at most {limits.max_content_code_points} are taken"
        raise InvalidInputError("article.body", f"has {code_points} code points with the headline; {at_most}")
    return Article(article.headline, article.body, source_code(article.language_code, "article.language_code"))


def _length(request: Request) -> Length:
    if request.length not in LENGTHS:
        raise InvalidInputError("length", f"is {request.length}, which this server does not know")
    return Length(request.max_words, request.max_words) if request.max_words else LENGTHS[request.length]


def _key_point_message(point: KeyPoint) -> summarization_pb2.KeyPoint:
    return summarization_pb2.KeyPoint(
        text=point.passage.text,
        source_text=point.source_text,
        span=span_message(point.span),
        warnings=[
            result_pb2.Warning(
                type=_warning_type(remark),
                source_span=remark.source_span and span_message(remark.source_span),
                target_span=remark.span and span_message(remark.span),
                detail=remark.detail,
            )
            for remark in point.passage.remarks
        ],
    )


def _warning_type(remark: Remark) -> result_pb2.WarningType.ValueType:
    return result_pb2.WarningType.Value(f"WARNING_TYPE_{remark.kind}")
