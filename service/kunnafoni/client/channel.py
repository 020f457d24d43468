"""What the connections of all clients have in common: options, and retries as data. It knows no calls."""

from __future__ import annotations

import json

from kunnafoni.v1 import model_pb2, summarization_pb2, translation_pb2

LONGEST_TIMEOUT_S = 365 * 86_400.0  # gRPC takes much longer ones for ones that have passed
RECONNECT_DELAY_S = 0.2  # of waiting for a server that has gone
MAX_ATTEMPTS, FIRST_BACKOFF_S, BACKOFF_MULTIPLIER = 4, 0.5, 2
# gRPC retries only calls that fit into its buffer: this is the largest message that a server takes by default.
RETRY_BUFFER_BYTES = 8 * 1024 * 1024

OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.enable_http_proxy", 0),  # http_proxy is for the web: it cannot reach this machine's localhost
]


def retries(*, streams: bool) -> list[tuple[str, str | int]]:
    """Options of a connection on which gRPC retries calls that were refused or found no server.

    Every call may be retried, as none changes anything on the server. gRPC waits as long as a refusal asks it to.

    Args:
        streams: Whether calls that answer with a stream are retried too, until the first message has come. Not for a
            connection of synchronous calls: those would wait for ever when their server dies (gRPC 1.85).
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
    return [("grpc.service_config", json.dumps(config)), ("grpc.per_rpc_retry_buffer_size", RETRY_BUFFER_BYTES)]
