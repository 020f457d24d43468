"""TranslationService: message -> values, call, values -> message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kunnafoni.errors import InvalidInputError
from kunnafoni.rpc.requests import beam_size, caller_of, check_contents, source_code, target_code
from kunnafoni.rpc.results import provenance_message, route_messages, span_message, usage_message, warning_message
from kunnafoni.text.executor import on_texts
from kunnafoni.text.language_id import identify
from kunnafoni.v1 import result_pb2, translation_pb2, translation_pb2_grpc
from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager

    import grpc

    from kunnafoni.engine.caller import Caller
    from kunnafoni.rpc.requests import Limits
    from kunnafoni.translation.translator import PendingTranslation, TranslatedSegment, Translation, Translator

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
        with caller_of(context) as caller:
            async with self._begin(request, caller) as pending:
                return translation_pb2.TranslateResponse(
                    translations=[translation_message(await content.whole()) for content in pending]
                )

    async def TranslateStream(  # noqa: N802
        self, request: translation_pb2.TranslateStreamRequest, context: Context
    ) -> AsyncIterator[translation_pb2.TranslateStreamResponse]:
        """See the proto."""
        with caller_of(context) as caller:
            async with self._begin(request, caller) as pending:
                for index, content in enumerate(pending):
                    machine_generated = False
                    async for piece in content.pieces():
                        answer = translation_pb2.TranslateStreamResponse(content_index=index, text=piece.text)
                        if piece.segment:
                            machine_generated |= piece.segment.machine_generated
                            answer.segment.CopyFrom(_segment_message(piece.segment))
                        else:
                            answer.translation.CopyFrom(_without_text(content, machine_generated=machine_generated))
                        yield answer

    async def DetectLanguage(  # noqa: N802
        self,
        request: translation_pb2.DetectLanguageRequest,
        context: Context,  # noqa: ARG002 - the signature is gRPC's
    ) -> translation_pb2.DetectLanguageResponse:
        """See the proto."""
        check_contents(request.contents, self._limits)
        found = await on_texts(
            sum(map(len, request.contents)), lambda: [identify(content) for content in request.contents]
        )
        detections = [
            translation_pb2.Detection(language_code=each.language_code, confidence=each.confidence) for each in found
        ]
        return translation_pb2.DetectLanguageResponse(detections=detections)

    def _begin(self, request: Request, caller: Caller) -> AbstractAsyncContextManager[list[PendingTranslation]]:
        check_contents(request.contents, self._limits)
        target = target_code(request.target_language_code)
        source = source_code(request.source_language_code)
        if source == target:
            raise InvalidInputError("source_language_code", f"is {source}, as is the target")
        decoding = Decoding(beam_size=beam_size(request.decoding.beam_size, self._limits))
        return self._translator.begin(request.contents, source=source, target=target, decoding=decoding, caller=caller)


def translation_message(translation: Translation) -> translation_pb2.Translation:
    """A whole translation as a message."""
    message = _without_text(translation, machine_generated=translation.machine_generated)
    message.text = translation.text
    message.segments.extend(map(_segment_message, translation.segments))
    return message


def _without_text(content: Translation | PendingTranslation, *, machine_generated: bool) -> translation_pb2.Translation:
    """A translation without its text and segments; call it when they are done."""
    return translation_pb2.Translation(
        source_language_code=content.source,
        detection_confidence=content.detection and content.detection.confidence,
        route=route_messages(content.route),
        provenance=provenance_message(machine_generated=machine_generated),
        usage=usage_message(content.usage),
    )


def _segment_message(segment: TranslatedSegment) -> translation_pb2.Segment:
    return translation_pb2.Segment(
        source_span=span_message(segment.source),
        target_span=span_message(segment.target),
        finish_reason=result_pb2.FinishReason.Value(f"FINISH_REASON_{segment.finish_reason}"),
        warnings=[warning_message(finding) for finding in segment.findings],
    )
