"""One CreateJob call: messages in, items to `jobs/upload.py`, and an answer whenever items have been stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kunnafoni.errors import InvalidInputError
from kunnafoni.jobs.ingest import NewItem
from kunnafoni.jobs.upload import UploadRequest
from kunnafoni.rpc.job_requests import check_item, check_request_id, check_spec

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from kunnafoni.jobs.service import JobService
    from kunnafoni.jobs.upload import Upload
    from kunnafoni.rpc.requests import Limits
    from kunnafoni.v1 import job_pb2


@dataclass(frozen=True, slots=True)
class Received:
    """How far an upload is: items that are stored, and, at its end, the job's identifier and who created it."""

    stored_items: int
    job_id: str = ""
    already_created: bool = False


async def receive(
    requests: AsyncIterator[job_pb2.CreateJobRequest], job_service: JobService, limits: Limits
) -> AsyncGenerator[Received]:
    """Take a whole stream in: how far it is after the first message, whenever items are stored, and at its end.

    Raises:
        InvalidInputError: the spec or an item is wrong; nothing is kept.
        RequestConflictError: the request id was used for another job; nothing is kept.
        UploadTakenOverError: another call has resumed the upload.
        JobStoreError: the job cannot be stored.
    """
    first = await anext(aiter(requests), None)
    if first is None or not first.HasField("spec"):
        raise InvalidInputError("spec", "is absent from the first message", french="manque au premier message")
    async with job_service.upload(_upload_request(first, limits)) as upload:
        if upload.created_id:
            yield Received(0, upload.created_id, already_created=True)
            return
        yield Received(upload.items)
        request = first
        while True:
            if await _add_all(upload, request, first.spec.kind, limits):
                yield Received(upload.stored_items)
            if request.last:
                break
            following = await anext(aiter(requests), None)
            if following is None:  # to gRPC a connection that breaks can look like the end of the stream
                upload.break_off()
                raise InvalidInputError(
                    "last",
                    "is in no message: nobody said that these were all items",
                    french="n'est dans aucun message : rien ne dit que tous les éléments sont là",
                )
            request = following
            if request.HasField("spec"):
                raise InvalidInputError(
                    "spec",
                    "is in a message that is not the first",
                    french="est dans un message qui n'est pas le premier",
                )
        job_id, already_created = await upload.complete()
        yield Received(upload.items, job_id, already_created)


def _upload_request(first: job_pb2.CreateJobRequest, limits: Limits) -> UploadRequest:
    check_spec(first.spec, limits)
    request_id = check_request_id(first.request_id)
    if first.resume and (request_id is None or first.items):
        raise InvalidInputError(
            "resume",
            "needs a `request_id`, and no items in the first message",
            french="demande un `request_id`, et aucun élément dans le premier message",
        )
    return UploadRequest(
        spec=first.spec.SerializeToString(deterministic=True),
        labels=dict(first.spec.labels),
        request_id=request_id,
        resume=first.resume,
    )


async def _add_all(
    upload: Upload, request: job_pb2.CreateJobRequest, kind: job_pb2.JobKind.ValueType, limits: Limits
) -> bool:
    """Add the items of a message; whether some were stored."""
    stored = False
    for item in request.items:
        code_points = check_item(item, kind, limits, f"items[{upload.items}]")
        item_id = item.id or str(upload.items)
        item.ClearField("id")  # it has a column of its own
        body = item.SerializeToString(deterministic=True)
        stored |= await upload.add(NewItem(upload.items, item_id, code_points, body))
    return stored
