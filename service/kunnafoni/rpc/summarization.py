"""SummarizationService: message -> values, call, values -> message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kunnafoni.errors import InvalidInputError
from kunnafoni.rpc.requests import (
    check_encoding_type,
    check_summary_size,
    not_known,
    request_context_of,
    source_code,
    target_codes,
    too_long,
)
from kunnafoni.rpc.summarization_messages import edition_message
from kunnafoni.summarization.article_analysis import LONG, MEDIUM, SHORT, Article, Length
from kunnafoni.v1 import summarization_pb2, summarization_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    import grpc

    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.rpc.requests import Limits
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
        with request_context_of(context) as request_context:
            async with self._begin(request, request_context) as pending:
                return summarization_pb2.SummarizeResponse(
                    editions=[
                        edition_message(edition, request.article.body, request.encoding_type)
                        async for edition in pending.editions()
                    ],
                    source_language_code=pending.source,
                    detection_confidence=pending.detection and pending.detection.confidence,
                )

    async def SummarizeStream(  # noqa: N802
        self, request: summarization_pb2.SummarizeStreamRequest, context: Context
    ) -> AsyncIterator[summarization_pb2.SummarizeStreamResponse]:
        """See the proto."""
        with request_context_of(context) as request_context:
            async with self._begin(request, request_context) as pending:
                async for edition in pending.editions():
                    yield summarization_pb2.SummarizeStreamResponse(
                        edition=edition_message(edition, request.article.body, request.encoding_type),
                        source_language_code=pending.source,
                        detection_confidence=pending.detection and pending.detection.confidence,
                    )

    def _begin(self, request: Request, request_context: RequestContext) -> AbstractAsyncContextManager[PendingEditions]:
        targets = target_codes(request.target_language_codes)
        check_encoding_type(request.encoding_type)
        check_summary_size(max_words=request.max_words, key_points=request.key_points)
        return self._summarizer.begin(
            _article(request.article, self._limits),
            targets,
            length=_length(request),
            key_points=request.key_points if request.HasField("key_points") else DEFAULT_KEY_POINTS,
            context=request_context,
        )


def _article(article: summarization_pb2.Article, limits: Limits) -> Article:
    if not (article.headline.strip() or article.body.strip()):
        raise InvalidInputError(
            "article.body", "is empty, and there is no headline", french="est vide, et il n'y a pas de titre"
        )
    code_points = len(article.headline) + len(article.body)
    if code_points > limits.max_content_code_points:
        raise too_long("article.body", code_points, limits)  # with the headline
    return Article(article.headline, article.body, source_code(article.language_code, "article.language_code"))


def _length(request: Request) -> Length:
    if request.length not in LENGTHS:
        raise not_known("length", request.length)
    return Length(request.max_words, request.max_words) if request.max_words else LENGTHS[request.length]
