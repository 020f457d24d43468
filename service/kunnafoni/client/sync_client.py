"""Typed client of the server: one method per RPC, deadlines, retries as data, statuses turned back into exceptions.

    with Client("localhost:50051") as client:
        [translation] = client.translate(["Good morning."], target="bm")
        print(translation.text)

Answers are the messages of `kunnafoni.v1`, typed and documented there. It knows no models and no text rules.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kunnafoni.client.channel import (
    BACKOFF_MULTIPLIER,
    FIRST_BACKOFF_S,
    LONGEST_TIMEOUT_S,
    MAX_ATTEMPTS,
    OPTIONS,
    RECONNECT_DELAY_S,
    retries,
)
from kunnafoni.client.messages import detect_request, error_of, summarize_request, translate_request
from kunnafoni.errors import OverloadedError, UnavailableError
from kunnafoni.v1 import (
    model_pb2,
    model_pb2_grpc,
    summarization_pb2,
    summarization_pb2_grpc,
    translation_pb2,
    translation_pb2_grpc,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

MessageT = TypeVar("MessageT")


class Client:
    """A connection to one server; safe to share between threads; close it or use it as a context manager."""

    def __init__(self, address: str = "localhost:50051", *, timeout_s: float = 300.0, language: str = "en") -> None:
        """Connect when first used.

        Args:
            address: host:port of the server.
            timeout_s: Deadline of each call, in seconds, retries included.
            language: `en` or `fr`: the language of the errors' localised messages.
        """
        self.address = address
        self._timeout_s = min(LONGEST_TIMEOUT_S, timeout_s)
        self._metadata = (("accept-language", language),)
        self._closed = threading.Event()
        self._channel = grpc.insecure_channel(address, options=[*OPTIONS, *retries(streams=False)])
        self._translation = translation_pb2_grpc.TranslationServiceStub(self._channel)
        self._summarization = summarization_pb2_grpc.SummarizationServiceStub(self._channel)
        self._model = model_pb2_grpc.ModelServiceStub(self._channel)
        self._health: Any = health_pb2_grpc.HealthStub(self._channel)

    def translate(
        self, contents: Sequence[str], *, target: str, source: str = "", beam_size: int = 0
    ) -> list[translation_pb2.Translation]:
        """Translate `contents` to `target`; one translation each, in order. Empty `source` means detect.

        A content that cannot be translated does not fail the call: its translation has an `error`, see `error_in`.

        Raises:
            KunnafoniError: as the server says of the call as a whole.
        """
        request = translate_request(
            translation_pb2.TranslateRequest, contents, target=target, source=source, beam_size=beam_size
        )
        with self._errors():
            answer = self._translation.Translate(request, timeout=self._timeout_s, metadata=self._metadata)
        return list(answer.translations)

    def translate_stream(
        self, contents: Sequence[str], *, target: str, source: str = "", beam_size: int = 0
    ) -> Iterator[translation_pb2.TranslateStreamResponse]:
        """Translate as `translate` does; pieces of the translations as they are done. Closing the iterator cancels.

        Raises:
            KunnafoniError: as the server says, possibly after some pieces.
        """
        request = translate_request(
            translation_pb2.TranslateStreamRequest, contents, target=target, source=source, beam_size=beam_size
        )
        return self._stream(self._translation.TranslateStream, request)

    def detect_language(self, contents: Sequence[str]) -> list[translation_pb2.Detection]:
        """Tell the language of each content, in order; of one that is empty or too long the `error`.

        Raises:
            KunnafoniError: as the server says.
        """
        request = detect_request(contents)
        with self._errors():
            answer = self._translation.DetectLanguage(request, timeout=self._timeout_s, metadata=self._metadata)
        return list(answer.detections)

    def summarize(
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
        """Make one edition of an article per language of `targets`, in order. Empty `source` means detect.

        Args:
            body: Plain text, paragraphs separated by blank lines.
            targets: Languages of the editions, each once.
            headline: The article's own; empty if it has none.
            source: Language of the article.
            length: `short`, `medium` or `long`.
            max_words: Takes the place of `length`; 0 means by `length`.
            key_points: How many; None means the server's default, 3.

        Raises:
            ValueError: `length` is none of the three.
            KunnafoniError: as the server says.
        """
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
            return self._summarization.Summarize(request, timeout=self._timeout_s, metadata=self._metadata)

    def summarize_stream(
        self,
        body: str,
        *,
        targets: Sequence[str],
        headline: str = "",
        source: str = "",
        length: str = "medium",
        max_words: int = 0,
        key_points: int | None = None,
    ) -> Iterator[summarization_pb2.SummarizeStreamResponse]:
        """Make editions as `summarize` does; each as soon as it is ready. Closing the iterator cancels.

        Raises:
            ValueError: `length` is none of the three.
            KunnafoniError: as the server says, possibly after some editions.
        """
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
        return self._stream(self._summarization.SummarizeStream, request)

    def server_info(self) -> model_pb2.GetServerInfoResponse:
        """Ask for the server's version, limits, languages and pairs.

        Raises:
            KunnafoniError: as the server says.
        """
        with self._errors():
            return self._model.GetServerInfo(
                model_pb2.GetServerInfoRequest(), timeout=self._timeout_s, metadata=self._metadata
            )

    def models(self) -> list[model_pb2.Model]:
        """List all models that the server is configured with, ordered by identifier.

        Raises:
            KunnafoniError: as the server says.
        """
        found: list[model_pb2.Model] = []
        page_token = ""
        while True:
            request = model_pb2.ListModelsRequest(page_token=page_token)
            with self._errors():
                page = self._model.ListModels(request, timeout=self._timeout_s, metadata=self._metadata)
            found.extend(page.models)
            page_token = page.next_page_token
            if not page_token:
                return found

    def wait_until_serving(self, timeout_s: float) -> None:
        """Return as soon as the server is ready to answer, also if it is not there yet or is restarted meanwhile.

        Raises:
            UnavailableError: it has not within `timeout_s` seconds.
        """
        end_s = time.monotonic() + min(LONGEST_TIMEOUT_S, timeout_s)
        request = health_pb2.HealthCheckRequest()
        while (left_s := end_s - time.monotonic()) > 0:
            with suppress(grpc.RpcError):
                for answer in self._health.Watch(request, timeout=left_s, wait_for_ready=True):
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        return
            time.sleep(RECONNECT_DELAY_S)
        raise UnavailableError(address=self.address)

    def close(self) -> None:
        """Close the connection; running calls are cancelled."""
        self._closed.set()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stream(self, method: grpc.UnaryStreamMultiCallable[Any, MessageT], request: object) -> Iterator[MessageT]:
        """Read a stream; until its first message, begin it again as gRPC does other calls (see `retries`).

        A refusal for longer than the deadline is raised at once.
        """
        end_s, backoff_s, attempts = time.monotonic() + self._timeout_s, FIRST_BACKOFF_S, 1
        while True:
            begun = False
            try:
                with self._errors():
                    call = method(request, timeout=end_s - time.monotonic(), metadata=self._metadata)
                    try:
                        for message in call:
                            begun = True
                            yield message
                    finally:
                        call.cancel()
            except (OverloadedError, UnavailableError) as error:
                delay_s = backoff_s if error.retry_after_s is None else error.retry_after_s
                in_time = time.monotonic() + delay_s < end_s
                if begun or attempts == MAX_ATTEMPTS or not in_time or self._closed.wait(delay_s):
                    raise
                attempts, backoff_s = attempts + 1, backoff_s * BACKOFF_MULTIPLIER
            else:
                return

    @contextmanager
    def _errors(self) -> Generator[None]:
        """Raise gRPC's errors as those of `kunnafoni.errors`."""
        try:
            yield
        except grpc.RpcError as error:
            raise error_of(error, self.address) from error
