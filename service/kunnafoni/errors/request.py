"""Errors that are the request's own: it is wrong, or asks for what is not there or not allowed."""

from __future__ import annotations

from kunnafoni.errors.base import KunnafoniError, Violation

MAX_NAME_CODE_POINTS = 100


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
