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

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

DOMAIN = "kunnafoni"
MAX_NAME_CODE_POINTS = 100


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks a rule.

    Attributes:
        field: Its path in the request, such as `contents[3]`.
        description: What is wrong with it, in English.
        french: The same in French; empty if nobody has written it.
    """

    field: str
    description: str
    french: str = ""

    def text(self, language: str) -> str:
        """What is wrong in `en` or `fr`; any other language gets English, as does French that is missing."""
        return self.french if language == "fr" and self.french else self.description


class KunnafoniError(Exception):
    """Base of all errors that reach a caller.

    Attributes:
        code: Name of the gRPC status code.
        reason: Stable upper-case identifier for programs.
        english_template, french_template: The message, to be filled in from `parameters`.
        parameters: Values of the templates, as strings.
        violations: Fields that break a rule; empty for most errors.
        retry_after_s: Seconds after which a retry makes sense; None if it does not depend on time.
    """

    code: ClassVar[str] = "UNKNOWN"
    reason: str = "UNKNOWN"
    english_template: str = "The call failed."
    french_template: str = "L'appel a échoué."

    def __init__(
        self,
        *,
        violations: tuple[Violation, ...] = (),
        retry_after_s: float | None = None,
        french: Mapping[str, str] | None = None,
        **parameters: object,
    ) -> None:
        """Make it.

        Args:
            violations: See the class.
            retry_after_s: See the class.
            french: Values that the French message has in place of those in `parameters`.
            parameters: Values of the templates.
        """
        self.parameters = {name: str(value) for name, value in parameters.items()}
        self.violations = violations
        self.retry_after_s = retry_after_s
        self._french_parameters = dict(french or {})
        super().__init__(self.message())

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what the error holds: its message is not what its class is made with."""
        return _without_init, (type(self), *self.args), self.__dict__

    @property
    def english(self) -> str:
        """The message in English."""
        return self.english_template.format_map(self.parameters)

    @property
    def french(self) -> str:
        """The message in French."""
        return self.french_template.format_map({**self.parameters, **self._french_parameters})

    def message(self, language: str = "en") -> str:
        """The message in `en` or `fr`; any other language gets English."""
        return self.french if language == "fr" else self.english


def _without_init(kind: type[KunnafoniError], *args: object) -> KunnafoniError:
    return kind.__new__(kind, *args)


class InvalidInputError(KunnafoniError):
    """The request itself is wrong: empty, too long, malformed, an unknown language code."""

    code = "INVALID_ARGUMENT"
    reason = "INVALID_INPUT"
    english_template = "The request is not valid: {field}: {problem}"
    french_template = "La requête n'est pas valide : {field} : {problem}"

    def __init__(self, field: str, problem: str, *more: Violation, french: str = "") -> None:
        """Make it.

        Args:
            field: Path of the field in the request.
            problem: What is wrong with it, in English.
            more: Other fields that are wrong.
            french: `problem` in French.
        """
        first = Violation(field, problem, french)
        super().__init__(violations=(first, *more), field=field, problem=problem, french={"problem": first.text("fr")})


class UnsupportedPairError(KunnafoniError):
    """No loaded model, alone or chained, translates this pair; `served` lists those that are, empty if none is."""

    code = "FAILED_PRECONDITION"
    reason = "PAIR_NOT_SERVED"
    english_template = "No loaded model translates {source} to {target}. Served: {served}."
    french_template = "Aucun modèle chargé ne traduit de {source} vers {target}. Paires servies : {served}."

    def __init__(self, source: str, target: str, served: str) -> None:
        super().__init__(source=source, target=target, served=served or "none", french={"served": served or "aucune"})


class UndetectedLanguageError(KunnafoniError):
    """The source language was left empty and is not recognised with enough confidence."""

    code = "FAILED_PRECONDITION"
    reason = "LANGUAGE_NOT_DETECTED"
    english_template = (
        "The language of {field} is not recognised (best guess {guess}, confidence {confidence}): name it."
    )
    french_template = (
        "La langue de {field} n'est pas reconnue (supposition {guess}, confiance {confidence}) : indiquez-la."
    )

    def __init__(self, field: str, guess: str, confidence: float) -> None:
        shown = f"{confidence:.2f}"
        french = {"confidence": shown.replace(".", ",")}
        super().__init__(field=field, guess=guess, confidence=shown, french=french)


class OverloadedError(KunnafoniError):
    """The queue is full or a quota is spent."""

    code = "RESOURCE_EXHAUSTED"
    reason = "OVERLOADED"
    english_template = "The server is busy. Try again in {delay_s} s."
    french_template = "Le serveur est occupé. Réessayez dans {delay_s} s."

    def __init__(self, retry_after_s: float) -> None:
        shown = f"{retry_after_s:.1f}"
        super().__init__(retry_after_s=retry_after_s, delay_s=shown, french={"delay_s": shown.replace(".", ",")})


class UnavailableError(KunnafoniError):
    """The server cannot take calls now: it is loading, draining, or cannot be reached."""

    code = "UNAVAILABLE"
    reason = "UNREACHABLE"
    english_template = "The server cannot be reached at {address}."
    french_template = "Le serveur est injoignable à {address}."


class LoadingError(UnavailableError):
    """The model is still being loaded."""

    reason = "LOADING"
    english_template = "The model is still loading. Try again shortly."
    french_template = "Le modèle est en cours de chargement. Réessayez dans un instant."


class ModelChangedError(UnavailableError):
    """The model was taken away or replaced after the call was planned; planned again it goes to another."""

    reason = "MODEL_CHANGED"
    english_template = "The model {name} has just been replaced. Try again."
    french_template = "Le modèle {name} vient d'être remplacé. Réessayez."


class DrainingError(UnavailableError):
    """The server is shutting down."""

    reason = "DRAINING"
    english_template = "The server is shutting down."
    french_template = "Le serveur est en cours d'arrêt."


class DeadlineError(KunnafoniError):
    """The caller's deadline passed before the work was done."""

    code = "DEADLINE_EXCEEDED"
    reason = "DEADLINE_EXCEEDED"
    english_template = "The deadline passed before the work was done."
    french_template = "Le délai a expiré avant la fin du travail."


class CancelledCallError(KunnafoniError):
    """The caller has gone."""

    code = "CANCELLED"
    reason = "CANCELLED"
    english_template = "The call was cancelled."
    french_template = "L'appel a été annulé."


_FRENCH_KINDS = {"job": "travail", "model": "modèle"}


class NotFoundError(KunnafoniError):
    """No such job, glossary or model; `kind` says which in English."""

    code = "NOT_FOUND"
    reason = "NOT_FOUND"
    english_template = "There is no {kind} {name}."
    french_template = "Introuvable : {kind} {name}."

    def __init__(self, *, kind: str, name: str) -> None:
        # The caller chose the name, and a status travels as metadata, of which gRPC takes 8 KiB.
        cut = f"{name[:MAX_NAME_CODE_POINTS]}…" if len(name) > MAX_NAME_CODE_POINTS else name
        super().__init__(kind=kind, name=cut, french={"kind": _FRENCH_KINDS.get(kind, kind)})


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


class UnauthenticatedError(KunnafoniError):
    """No key, or an unknown one."""

    code = "UNAUTHENTICATED"
    reason = "UNAUTHENTICATED"
    english_template = "A valid key is needed."
    french_template = "Une clé valable est nécessaire."


class PermissionDeniedError(KunnafoniError):
    """The key lacks the right."""

    code = "PERMISSION_DENIED"
    reason = "PERMISSION_DENIED"
    english_template = "The key does not give this right."
    french_template = "La clé ne donne pas ce droit."


class InternalError(KunnafoniError):
    """A bug; the trace is in the server's log under the request id."""

    code = "INTERNAL"
    reason = "INTERNAL"
    english_template = "Internal error; the operator finds it in the log under request id {request_id}."
    french_template = "Erreur interne ; l'exploitant la trouve dans le journal sous l'identifiant {request_id}."


class ItemCrashesServersError(InternalError):
    """An item of a job that crashed the server again and again, with nothing else at work."""

    reason = "ITEM_CRASHES_SERVERS"
    english_template = "The server crashed {crash_count} times while it worked on this item, which is not tried again."
    french_template = "Le serveur s'est arrêté {crash_count} fois en traitant cet élément, qui n'est plus essayé."
