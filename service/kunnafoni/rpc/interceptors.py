"""Around every call: decodes the request, maps errors to statuses, refuses while draining, logs one line.

It knows no particular service or message. Health and reflection pass through untouched.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
import uuid
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import grpc
from google.protobuf.message import DecodeError

from kunnafoni.errors import DrainingError, InternalError, InvalidInputError, KunnafoniError
from kunnafoni.rpc.requests import language_of
from kunnafoni.status import DETAILS_KEY, to_status

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    Context = grpc.aio.ServicerContext[Any, Any]

LOG = logging.getLogger(__name__)
OUR_SERVICES = "/kunnafoni."
MAX_REQUEST_ID_LENGTH = 64
# gRPC cancels a call at its deadline, by a clock of its own.
CLOCKS_DIFFER_S = 0.05


class CallInterceptor(grpc.aio.ServerInterceptor):
    """The one interceptor of the server.

    Args:
        on_end: Called with method, status code and seconds when a call has ended; None: nobody is.

    Attributes:
        running: Calls being answered now.
        draining: Set it, and new calls get UNAVAILABLE.
    """

    def __init__(self, on_end: Callable[[str, str, float], None] | None = None) -> None:
        self._on_end = on_end
        self.running = 0
        self.draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def idle(self, timeout_s: float) -> None:
        """Return when no call is running any more, at the latest after `timeout_s` seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout_s)

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """Wrap the handler of a call to one of our services."""
        handler = await continuation(handler_call_details)
        method: str = handler_call_details.method
        if handler is None or not method.startswith(OUR_SERVICES):
            return handler
        name = method.rsplit("/", 1)[1]
        serialise = handler.response_serializer
        rpc: Any = grpc  # its stubs do not know handlers without a deserialiser
        # gRPC would answer bytes that are no message with INTERNAL, so it hands us the bytes.
        if handler.request_streaming:
            return rpc.stream_stream_rpc_method_handler(self._answer_stream(name, handler), None, serialise)
        if handler.response_streaming:
            return rpc.unary_stream_rpc_method_handler(self._answer_many(name, handler), None, serialise)
        return rpc.unary_unary_rpc_method_handler(self._answer_one(name, handler), None, serialise)

    def _answer_one(self, name: str, handler: Any) -> Any:
        async def answer(data: bytes, context: Context) -> Any:
            async with self._call(name, context):
                return await handler.unary_unary(_decode(handler, data), context)

        return answer

    def _answer_many(self, name: str, handler: Any) -> Any:
        async def answer(data: bytes, context: Context) -> AsyncIterator[Any]:
            async with self._call(name, context):
                async for message in handler.unary_stream(_decode(handler, data), context):
                    yield message

        return answer

    def _answer_stream(self, name: str, handler: Any) -> Any:
        async def answer(stream: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
            async with (
                self._call(name, context),
                aclosing(_decode(handler, data) async for data in stream) as requests,
                aclosing(handler.stream_stream(requests, context)) as messages,
            ):
                async for message in messages:
                    yield message

        return answer

    def _check_draining(self) -> None:
        if self.draining:
            raise DrainingError

    @asynccontextmanager
    async def _call(self, method: str, context: Context) -> AsyncGenerator[None]:
        """Count, guard and log one call."""
        metadata = dict(context.invocation_metadata() or ())
        request_id = _request_id(metadata)
        started, code = time.monotonic(), "OK"
        remaining_s = cast("float | None", context.time_remaining())
        self.running += 1
        self._idle.clear()
        try:
            self._check_draining()
            yield
        except (asyncio.CancelledError, GeneratorExit):  # the latter if a stream waits for its reader
            late = remaining_s is not None and time.monotonic() - started >= remaining_s - CLOCKS_DIFFER_S
            code = "DEADLINE_EXCEEDED" if late else "CANCELLED"
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets a status and the log the trace
            if not isinstance(error, KunnafoniError):
                LOG.error("bug in %s, request %s: %s", method, request_id, _trace(error))  # noqa: TRY400 - see _trace
                error = InternalError(request_id=request_id)
            code = error.code
            status = to_status(error, language=language_of(context))
            trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString())]
            if error.retry_after_s is not None:  # what gRPC's own retries obey; RetryInfo is for people's code
                trailers.append(("grpc-retry-pushback-ms", str(round(error.retry_after_s * 1000))))
            await context.abort(grpc.StatusCode[error.code], status.message, trailing_metadata=tuple(trailers))
        finally:
            self.running -= 1
            if not self.running:
                self._idle.set()
            elapsed_s = time.monotonic() - started
            if self._on_end:
                self._on_end(method, code, elapsed_s)
            LOG.info("%s %s %.0f ms, request %s", method, code, elapsed_s * 1000, request_id)


def _decode(handler: Any, data: bytes) -> Any:
    try:
        return handler.request_deserializer(data)
    except DecodeError as error:
        problem, french = "is not a valid message (are all strings UTF-8?)", "est mal formée (tout est-il en UTF-8 ?)"
        raise InvalidInputError("request", problem, french=french) from error


def _trace(error: BaseException) -> str:
    """Types and lines of `error` and of what led to it, without their messages, which may quote an article."""
    earlier = error.__cause__ or error.__context__
    before = f"{_trace(earlier)}then " if earlier else ""
    return f"{before}{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"


def _request_id(metadata: dict[str, str | bytes]) -> str:
    given = str(metadata.get("x-request-id", ""))
    return given if given.isprintable() and 0 < len(given) <= MAX_REQUEST_ID_LENGTH else uuid.uuid4().hex
