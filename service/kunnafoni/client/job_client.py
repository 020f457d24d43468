"""Typed client of the server's jobs: sends archives of any size, follows them, reads their results.

    with JobClient("localhost:50051") as jobs:
        job = jobs.create(spec, items)
        for result in jobs.results(job.id, follow=True):
            print(result.id, result.translations[0].text)

Following and reading outlast a restart of the server: they go on where they were. It knows no files and no terminal.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import grpc

from kunnafoni.client.channel import LONGEST_TIMEOUT_S, OPTIONS, error_of
from kunnafoni.errors import DeadlineError, UnavailableError
from kunnafoni.v1 import job_pb2, job_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

# Messages of about this size are quick and far below what a server takes.
MAX_MESSAGE_ITEMS = 500
MAX_MESSAGE_BYTES = 1_000_000
RECONNECT_EVERY_S = 1.0
# A host that has vanished says nothing, and following has no deadline: a ping that nobody answers ends the call.
PING_EVERY_MS, PING_TIMEOUT_MS = 30_000, 15_000
MessageT = TypeVar("MessageT")
MessageT_co = TypeVar("MessageT_co", covariant=True)


class _Stream(Protocol[MessageT_co]):
    """A call that answers with many messages."""

    def __iter__(self) -> Iterator[MessageT_co]: ...

    def cancel(self) -> object: ...


class JobClient:
    """A connection to one server's jobs; safe to share between threads; close it or use it as a context manager."""

    def __init__(
        self,
        address: str = "localhost:50051",
        *,
        timeout_s: float = 60.0,
        patience_s: float = 300.0,
        language: str = "en",
    ) -> None:
        """Connect when first used.

        Args:
            address: host:port of the server.
            timeout_s: Deadline of the short calls, in seconds. Creating, following and reading have none.
            patience_s: How long following and reading wait for a server that has gone, in seconds. A server that was
                never there is not waited for.
            language: `en` or `fr`: the language of the errors' localised messages.
        """
        self.address = address
        self._timeout_s = min(LONGEST_TIMEOUT_S, timeout_s)
        self._patience_s = patience_s
        self._metadata = (("accept-language", language),)
        options = [
            *OPTIONS,
            ("grpc.keepalive_time_ms", PING_EVERY_MS),
            ("grpc.keepalive_timeout_ms", PING_TIMEOUT_MS),
            ("grpc.http2.ping_timeout_ms", PING_TIMEOUT_MS),
            ("grpc.http2.max_pings_without_data", 0),
        ]
        self._channel = grpc.insecure_channel(address, options=options)
        self._stub = job_pb2_grpc.JobServiceStub(self._channel)

    def create(self, spec: job_pb2.JobSpec, items: Iterable[job_pb2.JobItem], *, request_id: str = "") -> job_pb2.Job:
        """Send a job; `items` are taken one after the other as the server stores them.

        Args:
            spec: What the job is.
            items: Its items, in order; ids that are empty become their places.
            request_id: Makes it safe to send the same job again; empty means that it is always a new job.

        Raises:
            KunnafoniError: as the server says; nothing is kept.
            Exception: what `items` raised; nothing is kept.
        """
        problems: list[BaseException] = []

        def requests() -> Iterator[job_pb2.CreateJobRequest]:
            yield job_pb2.CreateJobRequest(spec=spec, request_id=request_id)
            try:
                yield from _requests(items)
            except BaseException as error:  # gRPC reads this in a thread and would tell only that there was an error
                problems.append(error)
                raise

        try:
            with self._errors():
                return self._stub.CreateJob(requests(), metadata=self._metadata).job
        except Exception:
            if problems:
                raise problems[0] from None
            raise

    def get(self, job_id: str) -> job_pb2.Job:
        """Look at a job.

        Raises:
            KunnafoniError: as the server says.
        """
        return self._call(self._stub.GetJob, job_pb2.GetJobRequest(job_id=job_id)).job

    def list(self, *, labels: dict[str, str] | None = None) -> Iterator[job_pb2.Job]:
        """The jobs that have all of `labels`, newest first.

        Raises:
            KunnafoniError: as the server says.
        """
        page_token = ""
        while True:
            request = job_pb2.ListJobsRequest(page_token=page_token, labels=labels)
            page = self._call(self._stub.ListJobs, request)
            yield from page.jobs
            page_token = page.next_page_token
            if not page_token:
                return

    def cancel(self, job_id: str) -> job_pb2.Job:
        """Stop a job and keep what it has.

        Raises:
            KunnafoniError: as the server says.
        """
        return self._call(self._stub.CancelJob, job_pb2.CancelJobRequest(job_id=job_id)).job

    def retry(self, job_id: str) -> job_pb2.Job:
        """Run the failed items of a job again, and what a cancelled one has left.

        Raises:
            KunnafoniError: as the server says.
        """
        return self._call(self._stub.RetryJob, job_pb2.RetryJobRequest(job_id=job_id)).job

    def delete(self, job_id: str) -> None:
        """Remove a job with its results.

        Raises:
            KunnafoniError: as the server says.
        """
        self._call(self._stub.DeleteJob, job_pb2.DeleteJobRequest(job_id=job_id))

    def watch(self, job_id: str) -> Iterator[job_pb2.Job]:
        """The job now and whenever its progress changes, until it has ended.

        Raises:
            KunnafoniError: as the server says, or it has not been there for `patience_s`.
        """
        request = job_pb2.WatchJobRequest(job_id=job_id)
        for answer in self._patiently(job_id, lambda: self._stub.WatchJob(request, metadata=self._metadata)):
            yield answer.job

    def results(
        self,
        job_id: str,
        *,
        order: job_pb2.JobResultOrder.ValueType = job_pb2.JOB_RESULT_ORDER_INPUT,
        follow: bool = False,
        include_items: bool = False,
    ) -> Iterator[job_pb2.JobResult]:
        """The results of a job, each once; with `follow` until it has ended, else those that there are.

        Raises:
            KunnafoniError: as the server says, or it has not been there for `patience_s`.
        """
        request = job_pb2.ReadJobResultsRequest(job_id=job_id, order=order, follow=follow, include_items=include_items)
        for answer in self._patiently(job_id, lambda: self._stub.ReadJobResults(request, metadata=self._metadata)):
            yield from answer.results
            request.offset = answer.next_offset

    def close(self) -> None:
        """Close the connection; running calls are cancelled."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, method: Callable[..., MessageT], request: object) -> MessageT:
        with self._errors():
            return method(request, timeout=self._timeout_s, metadata=self._metadata)

    def _patiently(self, job_id: str, begin: Callable[[], _Stream[MessageT]]) -> Iterator[MessageT]:
        """Read a stream about a job; when the server goes, begin again until it is back or patience has run out."""
        self.get(job_id)
        while True:
            try:
                with self._errors():
                    call = begin()
                    try:
                        yield from call
                    finally:
                        call.cancel()
            except UnavailableError:
                self._wait_for(job_id)
            else:
                return

    def _wait_for(self, job_id: str) -> None:
        """Return when the server tells of the job again.

        Raises:
            UnavailableError: it did not for `patience_s`.
        """
        end_s = time.monotonic() + self._patience_s
        while True:
            time.sleep(RECONNECT_EVERY_S)
            try:
                self.get(job_id)
            except UnavailableError:
                if time.monotonic() > end_s:
                    raise
            except DeadlineError as error:
                if time.monotonic() > end_s:
                    raise UnavailableError(address=self.address) from error
            else:
                return

    @contextmanager
    def _errors(self) -> Generator[None]:
        """Turn gRPC's errors into ours."""
        try:
            yield
        except grpc.RpcError as error:
            raise error_of(error, self.address) from error


def _requests(items: Iterable[job_pb2.JobItem]) -> Iterator[job_pb2.CreateJobRequest]:
    """Put items together into messages of a good size."""
    request, size = job_pb2.CreateJobRequest(), 0
    for item in items:
        request.items.append(item)
        size += item.ByteSize()
        if len(request.items) >= MAX_MESSAGE_ITEMS or size >= MAX_MESSAGE_BYTES:
            yield request
            request, size = job_pb2.CreateJobRequest(), 0
    if request.items:
        yield request
