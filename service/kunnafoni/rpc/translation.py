"""TranslationService: message -> values, call, values -> message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kunnafoni.errors import InvalidInputError
from kunnafoni.rpc.requests import (
    beam_size,
    check_contents,
    check_encoding_type,
    language_of,
    request_context_of,
    source_code,
    target_code,
)
from kunnafoni.rpc.translation_messages import StreamedTranslation, failed_translation_message, translation_message
from kunnafoni.status import to_status
from kunnafoni.text.executor import run_in_text_executor
from kunnafoni.text.language_id import identify
from kunnafoni.v1 import translation_pb2, translation_pb2_grpc
from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    import grpc

    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.rpc.requests import Limits
    from kunnafoni.translation.contents import PendingTranslation
    from kunnafoni.translation.translator import Translator

    Context = grpc.aio.ServicerContext[Any, Any]
    Request = translation_pb2.TranslateRequest | translation_pb2.TranslateStreamRequest


class TranslationServicer(translation_pb2_grpc.TranslationServiceServicer):
    """Serves `translation.proto`."""

    def __init__(self, translator: Translator, limits: Limits) -> None:
        self._translator = translator
        self._limits = limits

    async def Translate(  # noqa: N802 - the names of RPCs are the wire's
        self, request: translation_pb2.TranslateRequest, context: Context
    ) -> translation_pb2.TranslateResponse:
        """See the proto."""
        language = language_of(context)
        with request_context_of(context) as request_context:
            async with self._begin(request, request_context) as pending:
                return translation_pb2.TranslateResponse(
                    translations=[
                        failed_translation_message(started, started.error, language=language)
                        if started.error
                        else translation_message(await started.whole(), content, request.encoding_type)
                        for content, started in zip(request.contents, pending, strict=True)
                    ]
                )

    async def TranslateStream(  # noqa: N802
        self, request: translation_pb2.TranslateStreamRequest, context: Context
    ) -> AsyncIterator[translation_pb2.TranslateStreamResponse]:
        """See the proto."""
        language = language_of(context)
        with request_context_of(context) as request_context:
            async with self._begin(request, request_context) as pending:
                for index, (content, started) in enumerate(zip(request.contents, pending, strict=True)):
                    if started.error:
                        failed = failed_translation_message(started, started.error, language=language)
                        yield translation_pb2.TranslateStreamResponse(content_index=index, translation=failed)
                        continue
                    messages = StreamedTranslation(index, content, started, request.encoding_type)
                    async for piece in started.pieces():
                        yield messages.message(piece)

    async def DetectLanguage(  # noqa: N802
        self, request: translation_pb2.DetectLanguageRequest, context: Context
    ) -> translation_pb2.DetectLanguageResponse:
        """See the proto."""
        rejected, language = check_contents(request.contents, self._limits), language_of(context)
        found = await run_in_text_executor(
            sum(map(len, request.contents)),
            lambda: [None if place in rejected else identify(text) for place, text in enumerate(request.contents)],
        )
        detections = [
            translation_pb2.Detection(language_code=detection.language_code, confidence=detection.confidence)
            if detection
            else translation_pb2.Detection(error=to_status(rejected[place], language=language))
            for place, detection in enumerate(found)
        ]
        return translation_pb2.DetectLanguageResponse(detections=detections)

    def _begin(
        self, request: Request, request_context: RequestContext
    ) -> AbstractAsyncContextManager[list[PendingTranslation]]:
        rejected = check_contents(request.contents, self._limits)
        target = target_code(request.target_language_code)
        source = source_code(request.source_language_code)
        if source == target:
            raise InvalidInputError(
                "source_language_code", f"is {source}, as is the target", french=f"est {source}, comme la cible"
            )
        check_encoding_type(request.encoding_type)
        decoding = Decoding(beam_size=beam_size(request.decoding.beam_size, self._limits))
        return self._translator.begin(
            request.contents,
            source=source,
            target=target,
            decoding=decoding,
            context=request_context,
            rejected=rejected,
        )
