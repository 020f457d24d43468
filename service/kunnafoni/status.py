"""Errors to `google.rpc.Status` and back; the one place that knows both.

It does not know gRPC, nor who sends a status or when: a server does, in trailers and in results, and clients read them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs]
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status

from kunnafoni.errors import DOMAIN, ERRORS, KunnafoniError, Violation

# The trailer in which a Status travels with all its details.
DETAILS_KEY = "grpc-status-details-bin"
PLAIN_CODES = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")  # mean the same whoever sends them


def to_status(error: KunnafoniError, *, language: str = "en") -> Status:
    """Describe `error`: one ErrorInfo, and field violations, a retry delay and a localised message where they apply.

    Messages and descriptions are English, as programs and logs expect; `language` is that of the LocalizedMessages, of
    which the error has one and each field violation too.
    """
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.parameters)]
    if error.violations:
        violations = [_violation_message(violation, language) for violation in error.violations]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_after_s is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    details.append(error_details_pb2.LocalizedMessage(locale=language, message=error.message(language)))
    status = Status(code=Code.Value(error.code), message=error.message())
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _violation_message(violation: Violation, language: str) -> error_details_pb2.BadRequest.FieldViolation:
    locale = "fr" if language == "fr" and violation.french else "en"
    return error_details_pb2.BadRequest.FieldViolation(
        field=violation.field,
        description=violation.description,
        localized_message=error_details_pb2.LocalizedMessage(locale=locale, message=violation.text(locale)),
    )


class RemoteError(KunnafoniError):
    """An error that no class of `kunnafoni.errors` describes: gRPC's own, or one of a newer server."""


def from_status(status: Status) -> KunnafoniError:
    """Rebuild the error that a server described.

    The result is an instance of the class in `kunnafoni.errors` with that reason, or, for a reason that this version
    does not know, of the first with that code. Without a reason gRPC itself or a proxy speaks: only what can mean one
    thing keeps its class (`RESOURCE_EXHAUSTED` may be a message that is too large: no reason to try again).
    """
    info, violations, retry_after_s = error_details_pb2.ErrorInfo(), (), None
    localised = error_details_pb2.LocalizedMessage()
    for packed in status.details:
        bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if packed.Unpack(bad):
            violations = tuple(Violation(v.field, v.description, _french(v)) for v in bad.field_violations)
        elif packed.Unpack(retry):
            retry_after_s = retry.retry_delay.ToMilliseconds() / 1000
        elif not packed.Unpack(localised):
            packed.Unpack(info)
    kind = _class_of(Code.Name(status.code), info.reason)
    error = kind.__new__(kind)
    # The messages are the server's own words, which may be newer than the templates of this version.
    error.english_template = _literal(status.message)
    error.french_template = _literal(
        localised.message if localised.locale == "fr" else _in_french(kind, info, status.message)
    )
    KunnafoniError.__init__(error, violations=violations, retry_after_s=retry_after_s)
    error.parameters = dict(info.metadata)
    return error


def _in_french(kind: type[KunnafoniError], info: error_details_pb2.ErrorInfo, english: str) -> str:
    """The French message of an error that was sent in English."""
    if kind.reason == info.reason:
        with suppress(KeyError):  # a newer server's parameters
            return kind.french_template.format_map(dict(info.metadata))
    return f"Erreur : {english}"


def _french(violation: error_details_pb2.BadRequest.FieldViolation) -> str:
    localised = violation.localized_message
    return localised.message if localised.locale == "fr" else ""


def _literal(text: str) -> str:
    """A template that is filled in to `text`, whatever the parameters."""
    return text.replace("{", "{{").replace("}", "}}")


def _class_of(code: str, reason: str) -> type[KunnafoniError]:
    of_code = [kind for kind in ERRORS if kind.code == code]
    if not reason and code not in PLAIN_CODES:
        return RemoteError
    return next((kind for kind in of_code if kind.reason == reason), (*of_code, RemoteError)[0])
