"""The client for asyncio: the calls of `Client`, awaited. Same deadlines, retries and errors.

    async with AsyncClient("localhost:50051") as client:
        [translation] = await client.translate(["Good morning."], target="bm")

It knows no calls of jobs: `job_client` has those, and waits.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kunnafoni.client.channel import LONGEST_TIMEOUT_S, OPTIONS, RECONNECT_DELAY_S, retries
from kunnafoni.client.messages import detect_request, error_of, summarize_request, translate_request
from kunnafoni.errors import UnavailableError
from kunnafoni.v1 import (
    model_pb2,
    model_pb2_grpc,
    summarization_pb2,
    summarization_pb2_grpc,
    translation_pb2,
    translation_pb2_grpc,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Sequence


class AsyncClient:
    """A connection to one server, for one event loop; close it or use it as an async context manager.

    Args:
        address: host:port of the server.
        timeout_s: Deadline of each call, in seconds, retries included.
        language: `en` or `fr`: the language of the errors' localised messages.
    """

    def __init__(self, address: str = "localhost:50051", *, timeout_s: float = 300.0, language: str = "en") -> None:
        self.address = address
        self._timeout_s = min(LONGEST_TIMEOUT_S, timeout_s)
        self._metadata = (("accept-language", language),)
        self._channel = grpc.aio.insecure_channel(address, options=[*OPTIONS, *retries(streams=True)])
        self._translation = translation_pb2_grpc.TranslationServiceStub(self._channel)
        self._summarization = summarization_pb2_grpc.SummarizationServiceStub(self._channel)
        self._model = model_pb2_grpc.ModelServiceStub(self._channel)
        self._health: Any = health_pb2_grpc.HealthStub(self._channel)

    async def translate(
        self, contents: Sequence[str], *, target: str, source: str = "", beam_size: int = 0
    ) -> list[translation_pb2.Translation]:
        """See `Client.translate`."""
        request = translate_request(
            translation_pb2.TranslateRequest, contents, target=target, source=source, beam_size=beam_size
        )
        with self._errors():
            answer = await self._translation.Translate(request, timeout=self._timeout_s, metadata=self._metadata)
        return list(answer.translations)

    async def translate_stream(
        self, contents: Sequence[str], *, target: str, source: str = "", beam_size: int = 0
    ) -> AsyncIterator[translation_pb2.TranslateStreamResponse]:
        """See `Client.translate_stream`."""
        request = translate_request(
            translation_pb2.TranslateStreamRequest, contents, target=target, source=source, beam_size=beam_size
        )
        with self._errors():
            call = self._translation.TranslateStream(request, timeout=self._timeout_s, metadata=self._metadata)
            try:
                async for piece in call:
                    yield piece
            finally:
                call.cancel()

    async def detect_language(self, contents: Sequence[str]) -> list[translation_pb2.Detection]:
        """See `Client.detect_language`."""
        request = detect_request(contents)
        with self._errors():
            answer = await self._translation.DetectLanguage(request, timeout=self._timeout_s, metadata=self._metadata)
        return list(answer.detections)

    async def summarize(
        self,
        body: str,
        *,
        targets: Sequence[str],
        headline: str = "",
        source: str = "",
        length: str = "medium",
        max_words: int = 0,
        key_points: int | None = None,
    ) -> summarization_pb2.SummarizeResponse:
        """See `Client.summarize`."""
        request = summarize_request(
            summarization_pb2.SummarizeRequest,
            body,
            targets=targets,
            headline=headline,
            source=source,
            length=length,
            max_words=max_words,
            key_points=key_points,
        )
        with self._errors():
            return await self._summarization.Summarize(request, timeout=self._timeout_s, metadata=self._metadata)

    async def summarize_stream(
        self,
        body: str,
        *,
        targets: Sequence[str],
        headline: str = "",
        source: str = "",
        length: str = "medium",
        max_words: int = 0,
        key_points: int | None = None,
    ) -> AsyncIterator[summarization_pb2.SummarizeStreamResponse]:
        """See `Client.summarize_stream`."""
        request = summarize_request(
            summarization_pb2.SummarizeStreamRequest,
            body,
            targets=targets,
            headline=headline,
            source=source,
            length=length,
            max_words=max_words,
            key_points=key_points,
        )
        with self._errors():
            call = self._summarization.SummarizeStream(request, timeout=self._timeout_s, metadata=self._metadata)
            try:
                async for piece in call:
                    yield piece
            finally:
                call.cancel()

    async def server_info(self) -> model_pb2.GetServerInfoResponse:
        """See `Client.server_info`."""
        with self._errors():
            return await self._model.GetServerInfo(
                model_pb2.GetServerInfoRequest(), timeout=self._timeout_s, metadata=self._metadata
            )

    async def models(self) -> list[model_pb2.Model]:
        """See `Client.models`."""
        found: list[model_pb2.Model] = []
        page_token = ""
        while True:
            request = model_pb2.ListModelsRequest(page_token=page_token)
            with self._errors():
                page = await self._model.ListModels(request, timeout=self._timeout_s, metadata=self._metadata)
            found.extend(page.models)
            page_token = page.next_page_token
            if not page_token:
                return found

    async def wait_until_serving(self, timeout_s: float) -> None:
        """See `Client.wait_until_serving`."""
        end_s = time.monotonic() + min(LONGEST_TIMEOUT_S, timeout_s)
        request = health_pb2.HealthCheckRequest()
        while (left_s := end_s - time.monotonic()) > 0:
            with suppress(grpc.RpcError):
                async for answer in self._health.Watch(request, timeout=left_s, wait_for_ready=True):
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        return
            await asyncio.sleep(RECONNECT_DELAY_S)
        raise UnavailableError(address=self.address)

    async def close(self) -> None:
        """Close the connection; running calls are cancelled."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @contextmanager
    def _errors(self) -> Generator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise error_of(error, self.address) from error
