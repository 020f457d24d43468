"""Typed client of the server's jobs: sends archives of any size, follows them, reads their results.

    with JobClient("localhost:50051") as jobs:
        job = jobs.create(spec, items)
        for result in jobs.results(job.name, follow=True):
            print(result.id, result.translations[0].text)

Sending, following and reading outlast a restart of the server: they go on where they were. It knows no files and no
terminal.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import grpc

from kunnafoni.client.channel import LONGEST_TIMEOUT_S, OPTIONS
from kunnafoni.client.messages import error_of
from kunnafoni.client.outbox import Outbox
from kunnafoni.errors import DeadlineError, UnavailableError
from kunnafoni.v1 import job_pb2, job_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

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
            timeout_s: Deadline of the short calls, in seconds. Sending, following and reading have none.
            patience_s: How long sending, following and reading wait for a server that has gone, in seconds. They do
                not wait for a server that was never there.
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
            request_id: Makes it safe to send the same job again, and to go on by itself, without sending anything
                twice, when the connection or the server breaks. Empty means that it is always a new job, and that a
                call that breaks leaves nothing.

        Raises:
            KunnafoniError: as the server says, or it has not been there for `patience_s`.
            Exception: what `items` raised.
        """
        outbox = Outbox(items)
        request = job_pb2.CreateJobRequest(spec=spec, request_id=request_id)
        stored_items, since_s = -1, 0.0
        while True:
            try:
                return self._send(request, outbox)
            except UnavailableError:
                if outbox.stored_items > stored_items:
                    stored_items, since_s = outbox.stored_items, time.monotonic()
                lost_patience = time.monotonic() - since_s > self._patience_s
                if not (request_id and outbox.was_accepted) or lost_patience:
                    raise
            self._wait_until(lambda: next(self.list(), None))
            request.resume = True

    def _send(self, request: job_pb2.CreateJobRequest, outbox: Outbox) -> job_pb2.Job:
        """Send what the server has not stored yet; the job."""
        job = job_pb2.Job()
        call = self._stub.CreateJob(outbox.requests(request), metadata=self._metadata)
        try:
            with self._errors():
                for answer in call:
                    outbox.forget(answer.stored_items, done=answer.HasField("job"))
                    job = answer.job
        except Exception:
            if outbox.problem:
                raise outbox.problem from None
            raise
        finally:
            outbox.give_up()
            call.cancel()
        return job

    def get(self, name: str) -> job_pb2.Job:
        """Look at a job.

        Raises:
            KunnafoniError: as the server says.
        """
        return self._call(self._stub.GetJob, job_pb2.GetJobRequest(name=name)).job

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

    def cancel(self, name: str) -> job_pb2.Job:
        """Stop a job and keep what it has.

        Raises:
            KunnafoniError: as the server says.
        """
        return self._call(self._stub.CancelJob, job_pb2.CancelJobRequest(name=name)).job

    def retry(self, name: str) -> job_pb2.Job:
        """Run the failed items of a job again, and what a cancelled one has left.

        Raises:
            KunnafoniError: as the server says.
        """
        return self._call(self._stub.RetryJob, job_pb2.RetryJobRequest(name=name)).job

    def delete(self, name: str) -> None:
        """Remove a job with its results.

        Raises:
            KunnafoniError: as the server says.
        """
        self._call(self._stub.DeleteJob, job_pb2.DeleteJobRequest(name=name))

    def watch(self, name: str) -> Iterator[job_pb2.Job]:
        """The job now and whenever its progress changes, until it has ended.

        Raises:
            KunnafoniError: as the server says, or it has not been there for `patience_s`.
        """
        request = job_pb2.WatchJobRequest(name=name)
        for answer in self._patiently(name, lambda: self._stub.WatchJob(request, metadata=self._metadata)):
            yield answer.job

    def results(
        self,
        name: str,
        *,
        order: job_pb2.JobResultOrder.ValueType = job_pb2.JOB_RESULT_ORDER_INPUT,
        follow: bool = False,
        include_items: bool = False,
    ) -> Iterator[job_pb2.JobResult]:
        """The results of a job, each once: with `follow` until it has ended, without it those that there are now.

        Raises:
            KunnafoniError: as the server says, or it has not been there for `patience_s`.
        """
        request = job_pb2.ReadJobResultsRequest(name=name, order=order, follow=follow, include_items=include_items)
        for answer in self._patiently(name, lambda: self._stub.ReadJobResults(request, metadata=self._metadata)):
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

    def _patiently(self, name: str, begin: Callable[[], _Stream[MessageT]]) -> Iterator[MessageT]:
        """Read a stream about a job; when the server goes, begin again until it is back or patience has run out."""
        self.get(name)
        while True:
            try:
                with self._errors():
                    call = begin()
                    try:
                        yield from call
                    finally:
                        call.cancel()
            except UnavailableError:
                self._wait_until(lambda: self.get(name))
            else:
                return

    def _wait_until(self, call: Callable[[], object]) -> None:
        """Return when the server answers `call` again.

        Raises:
            UnavailableError: it did not for `patience_s`.
        """
        end_s = time.monotonic() + self._patience_s
        while True:
            time.sleep(RECONNECT_EVERY_S)
            try:
                call()
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
        """Raise gRPC's errors as those of `kunnafoni.errors`."""
        try:
            yield
        except grpc.RpcError as error:
            raise error_of(error, self.address) from error
