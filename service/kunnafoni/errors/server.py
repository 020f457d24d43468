"""Errors that are the server's: it is full, not ready, late or broken."""

from __future__ import annotations

from kunnafoni.errors.base import KunnafoniError


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


class InternalError(KunnafoniError):
    """A bug; the trace is in the server's log under the request id."""

    code = "INTERNAL"
    reason = "INTERNAL"
    english_template = "Internal error; the operator finds it in the log under request id {request_id}."
    french_template = "Erreur interne ; l'exploitant la trouve dans le journal sous l'identifiant {request_id}."
