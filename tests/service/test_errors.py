"""Errors on their way: over the wire, between processes."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs]
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status

from kunnafoni import errors
from kunnafoni.status import RemoteError, from_status, to_status

if TYPE_CHECKING:
    from kunnafoni.errors import KunnafoniError

ERRORS = [
    errors.InvalidInputError("contents", "is empty", french="est vide"),
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
    return from_status(Status.FromString(status.SerializeToString()))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_reaches_another_process_whole(error: KunnafoniError) -> None:
    assert told(over_the_wire(error)) == told(error)
    newer = from_status(Status(code=Code.Value(error.code), message="Words of a newer server."))
    for each in (error, over_the_wire(error), newer):
        assert told(pickle.loads(pickle.dumps(each))) == told(each)  # noqa: S301 - our own bytes
        assert told(copy.copy(each)) == told(each)


def test_a_reason_that_this_version_does_not_know_reaches_another_process() -> None:
    unknown = from_status(Status(code=Code.Value("INTERNAL"), message="Words of a proxy."))
    assert isinstance(unknown, RemoteError)
    assert told(pickle.loads(pickle.dumps(unknown))) == told(unknown)  # noqa: S301


def test_an_error_that_was_sent_in_english_is_told_in_french_as_well() -> None:
    sent = to_status(errors.OverloadedError(2.5))
    assert from_status(sent).french == "Le serveur est occupé. Réessayez dans 2.5 s."
    newer = to_status(errors.NotFoundError(kind="job", name="x"))
    newer.details[0].Pack(error_details_pb2.ErrorInfo(reason="NOT_FOUND", metadata={"what": "a job"}))
    assert from_status(newer).french == "Erreur : There is no job x."


def test_messages_are_filled_in() -> None:
    error = errors.NotFoundError(kind="job", name="x")
    assert (error.english, error.french) == ("There is no job x.", "Introuvable : travail x.")
    error = errors.UnavailableError(address="localhost:1")
    assert error.french == "Le serveur est injoignable à localhost:1."
    error = errors.InvalidInputError("contents", "is empty", french="est vide")
    assert error.french == "La requête n'est pas valide : contents : est vide"
    assert errors.UnsupportedPairError("en", "fr", "").french.endswith("Paires servies : aucune.")
