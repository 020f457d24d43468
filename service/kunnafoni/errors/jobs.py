"""Errors of jobs: uploads that clash or break, offsets beyond the end, items that crash servers."""

from __future__ import annotations

from kunnafoni.errors.base import KunnafoniError
from kunnafoni.errors.server import InternalError


class RequestConflictError(KunnafoniError):
    """A request id was used before with another body."""

    code = "ALREADY_EXISTS"
    reason = "REQUEST_ID_REUSED"
    english_template = "The request id {request_id} was used before with another body."
    french_template = "L'identifiant de requête {request_id} a déjà servi avec un autre contenu."


class UploadTakenOverError(KunnafoniError):
    """Another call has resumed the upload of this job."""

    code = "ABORTED"
    reason = "UPLOAD_TAKEN_OVER"
    english_template = "Another call has resumed this upload."
    french_template = "Un autre appel a repris cet envoi."


class UploadLostError(KunnafoniError):
    """The server has lost what an upload that is resumed had sent before."""

    code = "ABORTED"
    reason = "UPLOAD_LOST"
    english_template = "The server has lost the items that were sent before the connection broke. Send the job again."
    french_template = "Le serveur a perdu les éléments envoyés avant la coupure. Renvoyez le travail."


class OffsetOutOfRangeError(KunnafoniError):
    """An offset lies beyond the end of what is read."""

    code = "OUT_OF_RANGE"
    reason = "OFFSET_OUT_OF_RANGE"
    english_template = "The offset {offset} is beyond the end, which is {end}."
    french_template = "La position {offset} dépasse la fin, qui est {end}."

    def __init__(self, offset: int, end: int) -> None:
        super().__init__(offset=offset, end=end)


class ItemCrashesServersError(InternalError):
    """An item of a job that crashed the server again and again, with nothing else at work."""

    reason = "ITEM_CRASHES_SERVERS"
    english_template = "The server crashed {crash_count} times while it worked on this item, which is not tried again."
    french_template = "Le serveur s'est arrêté {crash_count} fois en traitant cet élément, qui n'est plus essayé."
