"""Values that every result carries to messages: route, provenance, usage, and what a warning is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

import kunnafoni
from kunnafoni.checks.severity import CLASSIFICATIONS
from kunnafoni.v1 import result_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kunnafoni.translation.routes import Hop
    from kunnafoni.translation.sentences import Usage

# IPTC NewsCodes, digital source type: created by a model trained on samples.
TRAINED_ALGORITHMIC_MEDIA = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


class WarningClass(NamedTuple):
    """What a warning is about, in the wire's terms."""

    type: result_pb2.WarningType.ValueType
    category: result_pb2.WarningCategory.ValueType
    severity: result_pb2.WarningSeverity.ValueType


def warning_class(name: str, category: str | None) -> WarningClass:
    """Type, category and severity of a finding, by the name of its type and its own category if it has one."""
    classification = CLASSIFICATIONS[name]
    return WarningClass(
        result_pb2.WarningType.Value(f"WARNING_TYPE_{name}"),
        result_pb2.WarningCategory.Value(f"WARNING_CATEGORY_{category or classification.category}"),
        result_pb2.WarningSeverity.Value(f"WARNING_SEVERITY_{classification.severity}"),
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
    """What a result cost."""
    return result_pb2.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        queue_time=_duration(usage.queue_ms),
        inference_time=_duration(usage.inference_ms),
        cached_segments=usage.cached_segments,
    )


def _duration(milliseconds: float) -> Duration:
    duration = Duration()
    duration.FromMicroseconds(round(milliseconds * 1000))
    return duration
