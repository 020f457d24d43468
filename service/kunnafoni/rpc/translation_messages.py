"""Translations to messages; spans count in the unit that the caller asked for. It knows no calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.rpc.results import provenance_message, route_messages, usage_message, warning_class
from kunnafoni.rpc.spans import SpanConverter
from kunnafoni.status import to_status
from kunnafoni.v1 import result_pb2, translation_pb2

if TYPE_CHECKING:
    from kunnafoni.checks.finding import Finding
    from kunnafoni.errors import KunnafoniError
    from kunnafoni.translation.contents import PendingTranslation, Piece, TranslatedSegment, Translation


def translation_message(
    translation: Translation, content: str, encoding_type: result_pb2.EncodingType.ValueType
) -> translation_pb2.Translation:
    """A whole translation of `content`."""
    message = _without_text(translation, machine_generated=translation.machine_generated)
    message.text = translation.text
    source, target = SpanConverter(encoding_type, content), SpanConverter(encoding_type, translation.text)
    message.segments.extend(_segment_message(segment, source, target) for segment in translation.segments)
    return message


def failed_translation_message(
    content: PendingTranslation, error: KunnafoniError, *, language: str
) -> translation_pb2.Translation:
    """A content that has no translation, with what was detected of it; `language` is that of the localised message."""
    return translation_pb2.Translation(
        source_language_code=content.source,
        detection_confidence=content.detection and content.detection.confidence,
        error=to_status(error, language=language),
    )


class StreamedTranslation:
    """The messages of one content of a stream, made one after the other."""

    def __init__(
        self, index: int, content: str, pending: PendingTranslation, encoding_type: result_pb2.EncodingType.ValueType
    ) -> None:
        """Make messages of the pieces of `pending`, which translates `content`, the call's `contents[index]`."""
        self._index = index
        self._pending = pending
        self._source = SpanConverter(encoding_type, content)
        self._target = SpanConverter(encoding_type)
        self._machine_generated = False

    def message(self, piece: Piece) -> translation_pb2.TranslateStreamResponse:
        """The next piece as a message."""
        message = translation_pb2.TranslateStreamResponse(content_index=self._index, text=piece.text)
        self._target.append(piece.text)
        if piece.segment:
            self._machine_generated |= piece.segment.machine_generated
            message.segment.CopyFrom(_segment_message(piece.segment, self._source, self._target))
        else:
            message.translation.CopyFrom(_without_text(self._pending, machine_generated=self._machine_generated))
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


def _segment_message(
    segment: TranslatedSegment, source: SpanConverter, target: SpanConverter
) -> translation_pb2.Segment:
    return translation_pb2.Segment(
        source_span=source.message(segment.source),
        target_span=target.message(segment.target),
        finish_reason=result_pb2.FinishReason.Value(f"FINISH_REASON_{segment.finish_reason}"),
        warnings=[_warning_message(finding, source, target) for finding in segment.findings],
    )


def _warning_message(finding: Finding, source: SpanConverter, target: SpanConverter) -> result_pb2.Warning:
    kind = warning_class(finding.type, finding.category)
    return result_pb2.Warning(
        type=kind.type,
        category=kind.category,
        severity=kind.severity,
        source_span=source.optional(finding.source_span),
        target_span=target.optional(finding.target_span),
        detail=finding.detail,
    )
