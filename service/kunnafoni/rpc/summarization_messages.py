"""Editions to messages; spans count in the unit that the caller asked for. It knows no calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.rpc.results import provenance_message, route_messages, usage_message, warning_class
from kunnafoni.rpc.spans import SpanConverter
from kunnafoni.v1 import result_pb2, summarization_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.summarization.edition import Edition, KeyPoint
    from kunnafoni.summarization.edition_text import EditionText


def edition_message(
    edition: Edition, body: str, encoding_type: result_pb2.EncodingType.ValueType
) -> summarization_pb2.Edition:
    """An edition of the article with this body."""
    article = SpanConverter(encoding_type, body)
    return summarization_pb2.Edition(
        language_code=edition.language,
        headline=edition.headline.text,
        summary=edition.summary.text,
        key_points=[_key_point_message(point, article, encoding_type) for point in edition.key_points],
        warnings=[
            *_warning_messages(summarization_pb2.EDITION_PART_HEADLINE, edition.headline, encoding_type),
            *_warning_messages(summarization_pb2.EDITION_PART_SUMMARY, edition.summary, encoding_type),
        ],
        summary_method=summarization_pb2.SummaryMethod.Value(f"SUMMARY_METHOD_{edition.method}"),
        coverage=edition.coverage,
        route=route_messages(edition.route),
        provenance=provenance_message(machine_generated=edition.machine_generated),
        usage=usage_message(edition.usage),
    )


def _warning_messages(
    part: summarization_pb2.EditionPart.ValueType, text: EditionText, encoding_type: result_pb2.EncodingType.ValueType
) -> Iterator[summarization_pb2.EditionWarning]:
    spans = SpanConverter(encoding_type, text.text)
    for finding in text.findings:
        classification = warning_class(finding.type, finding.category)
        yield summarization_pb2.EditionWarning(
            type=classification.type,
            category=classification.category,
            severity=classification.severity,
            part=part,
            span=spans.optional(finding.span),
            detail=finding.detail,
            source_words=finding.source_words,
        )


def _key_point_message(
    point: KeyPoint, article: SpanConverter, encoding_type: result_pb2.EncodingType.ValueType
) -> summarization_pb2.KeyPoint:
    return summarization_pb2.KeyPoint(
        text=point.edition_text.text,
        source_text=point.source_text,
        span=article.message(point.span),
        warnings=_key_point_warnings(point, encoding_type),
    )


def _key_point_warnings(
    point: KeyPoint, encoding_type: result_pb2.EncodingType.ValueType
) -> Iterator[result_pb2.Warning]:
    source = SpanConverter(encoding_type, point.source_text)
    target = SpanConverter(encoding_type, point.edition_text.text)
    for finding in point.edition_text.findings:
        classification = warning_class(finding.type, finding.category)
        yield result_pb2.Warning(
            type=classification.type,
            category=classification.category,
            severity=classification.severity,
            source_span=source.optional(finding.source_span),
            target_span=target.optional(finding.span),
            detail=finding.detail,
        )
