"""Errors to `google.rpc.Status` and back; the one place that knows both. It does not know who sends them or when."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs]
from google.rpc.status_pb2 import Status

from kunnafoni import errors
from kunnafoni.errors import DOMAIN, KunnafoniError, Violation

DETAILS_KEY = "grpc-status-details-bin"
PLAIN_CODES = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")  # mean the same whoever sends them


def to_status(error: KunnafoniError, *, language: str = "en") -> Status:
    """Describe `error`: one ErrorInfo, and field violations, a retry delay and a localised message where they apply.

    The status message is English, as programs and logs expect; `language` is that of the LocalizedMessage.
    """
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.parameters)]
    if error.violations:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=violation.field, description=violation.description)
            for violation in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_after_s is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    details.append(error_details_pb2.LocalizedMessage(locale=language, message=error.message(language)))
    status = Status(code=code_of(error).value[0], message=error.message())
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def code_of(error: KunnafoniError) -> grpc.StatusCode:
    """The gRPC status code of `error`."""
    return grpc.StatusCode[error.code]


class RemoteError(KunnafoniError):
    """An error that no class of `errors.py` describes: gRPC's own, or one of a newer server."""


def from_status(code: grpc.StatusCode, message: str, details: bytes | None) -> KunnafoniError:
    """Rebuild the error that a server described.

    The result is an instance of the class in `errors.py` with that reason, or, for a reason that this version does not
    know, of the first with that code. Without a reason gRPC itself or a proxy speaks: only what can mean one thing
    keeps its class (`RESOURCE_EXHAUSTED` may be a message that is too large: no reason to try again).
    """
    info, violations, retry_after_s = error_details_pb2.ErrorInfo(), (), None
    localised = error_details_pb2.LocalizedMessage()
    status = Status.FromString(details) if details else Status()
    for packed in status.details:
        bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if packed.Unpack(bad):
            violations = tuple(Violation(v.field, v.description) for v in bad.field_violations)
        elif packed.Unpack(retry):
            retry_after_s = retry.retry_delay.ToMilliseconds() / 1000
        elif not packed.Unpack(localised):
            packed.Unpack(info)
    kind = _class_of(code.name, info.reason)
    error = kind.__new__(kind)
    # The messages are the server's own words, which may be newer than the templates of this version.
    french = localised.message if localised.locale == "fr" else message
    error.english, error.french = (text.replace("{", "{{").replace("}", "}}") for text in (message, french))
    KunnafoniError.__init__(error, violations=violations, retry_after_s=retry_after_s, **dict(info.metadata))
    return error


def _class_of(code: str, reason: str) -> type[KunnafoniError]:
    known = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, KunnafoniError)]
    of_code = [kind for kind in known if kind.code == code]
    if not reason and code not in PLAIN_CODES:
        return RemoteError
    return next((kind for kind in of_code if kind.reason == reason), (*of_code, RemoteError)[0])
