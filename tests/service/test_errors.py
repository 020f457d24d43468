"""Errors on their way: over the wire, between processes."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest

from kunnafoni import errors
from kunnafoni.rpc.status import RemoteError, code_of, from_status, to_status

if TYPE_CHECKING:
    from kunnafoni.errors import KunnafoniError

ERRORS = [
    errors.InvalidInputError("contents", "is {empty}", errors.Violation("contents[2]", "is empty")),
    errors.UnsupportedPairError("en", "fr", "en>bm"),
    errors.UndetectedLanguageError("contents[0]", "und", 0.3),
    errors.OverloadedError(2.5),
    errors.UnavailableError(address="localhost:1"),
    errors.DeadlineError(),
    errors.NotFoundError(kind="job", name="x"),
    errors.ItemCrashesServersError(crash_count=3),
]


def told(error: KunnafoniError) -> tuple[object, ...]:
    messages = [str(error), error.message("en"), error.message("fr")]
    return type(error), error.reason, error.parameters, error.violations, error.retry_after_s, *messages


def over_the_wire(error: KunnafoniError) -> KunnafoniError:
    status = to_status(error, language="fr")
    return from_status(code_of(error), status.message, status.SerializeToString())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_reaches_another_process_whole(error: KunnafoniError) -> None:
    assert told(over_the_wire(error)) == told(error)
    newer = from_status(code_of(error), "Words of a newer server.", None)
    for each in (error, over_the_wire(error), newer):
        assert told(pickle.loads(pickle.dumps(each))) == told(each)  # noqa: S301 - our own bytes
        assert told(copy.copy(each)) == told(each)


def test_a_reason_that_this_version_does_not_know_reaches_another_process() -> None:
    unknown = from_status(code_of(errors.InternalError(request_id="r")), "Words of a proxy.", None)
    assert isinstance(unknown, RemoteError)
    assert told(pickle.loads(pickle.dumps(unknown))) == told(unknown)  # noqa: S301
