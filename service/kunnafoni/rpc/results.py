"""Values that every result carries to messages: spans, warnings, route, provenance, usage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp

import kunnafoni
from kunnafoni.v1 import result_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kunnafoni.checks.registry import Finding, Span
    from kunnafoni.translation.routes import Hop
    from kunnafoni.translation.sentence_translator import Usage

# IPTC NewsCodes, digital source type: created by a model trained on samples.
TRAINED_ALGORITHMIC_MEDIA = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def span_message(span: Span) -> result_pb2.Span:
    """A Span as a message."""
    return result_pb2.Span(start=span.start, end=span.end)


def warning_message(finding: Finding) -> result_pb2.Warning:
    """A Finding as a message."""
    return result_pb2.Warning(
        type=result_pb2.WarningType.Value(f"WARNING_TYPE_{finding.kind}"),
        source_span=finding.source_span and span_message(finding.source_span),
        target_span=finding.target_span and span_message(finding.target_span),
        detail=finding.detail,
    )


def route_messages(route: Iterable[Hop]) -> list[result_pb2.RouteHop]:
    """The hops with the revisions of their models."""
    return [
        result_pb2.RouteHop(
            model_id=hop.model_id,
            model_revision=hop.revision,
            source_language_code=hop.source,
            target_language_code=hop.target,
        )
        for hop in route
    ]


def provenance_message(*, machine_generated: bool) -> result_pb2.Provenance:
    """Where a text comes from, made now."""
    now = Timestamp()
    now.GetCurrentTime()
    return result_pb2.Provenance(
        digital_source_type=TRAINED_ALGORITHMIC_MEDIA if machine_generated else "",
        machine_generated=machine_generated,
        generate_time=now,
        server_version=kunnafoni.__version__,
    )


def usage_message(usage: Usage) -> result_pb2.Usage:
    """What a result cost, times in whole milliseconds."""
    return result_pb2.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        queue_milliseconds=round(usage.queue_ms),
        inference_milliseconds=round(usage.inference_ms),
        cached_segments=usage.cached_segments,
    )
