"""What the clients have in common: options of their connections, retries as data, statuses back into `errors.py`.

It knows no calls and no messages.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc

from kunnafoni.errors import DeadlineError, InvalidInputError, KunnafoniError, UnavailableError
from kunnafoni.rpc.status import DETAILS_KEY, from_status
from kunnafoni.v1 import model_pb2, summarization_pb2, translation_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_TIMEOUT_S = 365 * 86_400.0  # gRPC takes much longer ones for ones that have passed
LOOK_AGAIN_S = 0.2  # after a server has gone that was waited for
MAX_ATTEMPTS, FIRST_BACKOFF_S, BACKOFF_MULTIPLIER = 4, 0.5, 2
# A call that is larger than what gRPC keeps of it is never sent again: the largest message that a server takes.
MAX_KEPT_BYTES = 8 * 1024 * 1024

OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),  # http_proxy is for the web: it cannot reach this machine's localhost
]


def several(contents: Sequence[str]) -> Sequence[str]:
    """The `contents` of a call as they are.

    Raises:
        InvalidInputError: They are one text. That is a sequence too, of letters, and each would be translated.
    """
    if isinstance(contents, str):
        raise InvalidInputError("contents", "one text where a list of texts belongs: write [text]")
    return contents


def retries(*, streams: bool) -> list[tuple[str, str | int]]:
    """Options of a connection on which gRPC sends calls again that were refused or found no server.

    Every call may be sent again: none changes anything on the server. gRPC waits as long as a refusal asks it to.

    Args:
        streams: Whether calls that answer with a stream are, until the first message has come. Not for a connection of
            synchronous calls: those would wait for ever when their server dies (gRPC 1.85).
    """
    services = [
        service
        for file in (translation_pb2, summarization_pb2, model_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
    ]
    names = [
        {"service": service.full_name, "method": method.name}
        for service in services
        for method in service.methods
        if streams or not method.server_streaming
    ]
    policy = {
        "maxAttempts": MAX_ATTEMPTS,
        "initialBackoff": f"{FIRST_BACKOFF_S}s",
        "maxBackoff": "10s",
        "backoffMultiplier": BACKOFF_MULTIPLIER,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
    }
    config = {"methodConfig": [{"name": names, "retryPolicy": policy}]}
    return [("grpc.service_config", json.dumps(config)), ("grpc.per_rpc_retry_buffer_size", MAX_KEPT_BYTES)]


def error_of(error: grpc.RpcError, address: str) -> KunnafoniError:
    """The domain error that a server at `address` meant by gRPC's."""
    call: Any = error
    trailers: dict[str, Any] = dict(call.trailing_metadata() or ())
    details = trailers.get(DETAILS_KEY)
    if call.code() is grpc.StatusCode.UNAVAILABLE and not details:
        return UnavailableError(address=address)
    if call.code() is grpc.StatusCode.DEADLINE_EXCEEDED and not details:  # gRPC has no sentence for it
        return DeadlineError()
    return from_status(call.code(), call.details() or "", details)
