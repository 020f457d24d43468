"""Every error that a caller can be told, each with its gRPC code name, reason and English and French message.

It knows no gRPC and no messages: `status.py` turns these into a status and back.
Parameters of an error travel as `ErrorInfo` metadata. They hold limits, codes, names and counts, never article text.

    KunnafoniError
    ├── InvalidInputError           INVALID_ARGUMENT     INVALID_INPUT        with one violation per field
    ├── UnsupportedPairError        FAILED_PRECONDITION  PAIR_NOT_SERVED
    ├── UndetectedLanguageError     FAILED_PRECONDITION  LANGUAGE_NOT_DETECTED
    ├── OverloadedError             RESOURCE_EXHAUSTED   OVERLOADED           with a retry delay
    ├── UnavailableError            UNAVAILABLE          LOADING | DRAINING | UNREACHABLE
    ├── DeadlineError               DEADLINE_EXCEEDED    DEADLINE_EXCEEDED
    ├── CancelledCallError          CANCELLED            CANCELLED
    ├── NotFoundError               NOT_FOUND            NOT_FOUND
    ├── RequestConflictError        ALREADY_EXISTS       REQUEST_ID_REUSED
    ├── UploadTakenOverError        ABORTED              UPLOAD_TAKEN_OVER
    ├── UploadLostError             ABORTED              UPLOAD_LOST
    ├── OffsetOutOfRangeError       OUT_OF_RANGE         OFFSET_OUT_OF_RANGE
    ├── UnauthenticatedError        UNAUTHENTICATED      UNAUTHENTICATED
    ├── PermissionDeniedError       PERMISSION_DENIED    PERMISSION_DENIED
    └── InternalError               INTERNAL             INTERNAL | ITEM_CRASHES_SERVERS
"""

from kunnafoni.errors.base import DOMAIN, KunnafoniError, Violation
from kunnafoni.errors.jobs import (
    ItemCrashesServersError,
    OffsetOutOfRangeError,
    RequestConflictError,
    UploadLostError,
    UploadTakenOverError,
)
from kunnafoni.errors.request import (
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
    UndetectedLanguageError,
    UnsupportedPairError,
)
from kunnafoni.errors.server import (
    CancelledCallError,
    DeadlineError,
    DrainingError,
    InternalError,
    LoadingError,
    ModelChangedError,
    OverloadedError,
    UnavailableError,
)

ERRORS: tuple[type[KunnafoniError], ...] = (
    InvalidInputError,
    UnsupportedPairError,
    UndetectedLanguageError,
    OverloadedError,
    UnavailableError,
    LoadingError,
    ModelChangedError,
    DrainingError,
    DeadlineError,
    CancelledCallError,
    NotFoundError,
    RequestConflictError,
    UploadTakenOverError,
    UploadLostError,
    OffsetOutOfRangeError,
    UnauthenticatedError,
    PermissionDeniedError,
    InternalError,
    ItemCrashesServersError,
)
"""In the order of the tree: of those with one code the most general comes first."""

__all__ = [
    "DOMAIN",
    "ERRORS",
    "CancelledCallError",
    "DeadlineError",
    "DrainingError",
    "InternalError",
    "InvalidInputError",
    "ItemCrashesServersError",
    "KunnafoniError",
    "LoadingError",
    "ModelChangedError",
    "NotFoundError",
    "OffsetOutOfRangeError",
    "OverloadedError",
    "PermissionDeniedError",
    "RequestConflictError",
    "UnauthenticatedError",
    "UnavailableError",
    "UndetectedLanguageError",
    "UnsupportedPairError",
    "UploadLostError",
    "UploadTakenOverError",
    "Violation",
]
