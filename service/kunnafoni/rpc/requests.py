"""What a request may hold: checks that every servicer shares, all done before any work starts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from kunnafoni.engine.request_context import RequestContext
from kunnafoni.errors import InvalidInputError
from kunnafoni.languages import LANGUAGES, known_code, other_script
from kunnafoni.v1 import result_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc

    from kunnafoni.errors import KunnafoniError

MAX_SUMMARY_WORDS = 400
MAX_KEY_POINTS = 7


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes that a request has to keep; `GetServerInfo` publishes them. Texts are counted in code points."""

    max_contents: int
    max_content_code_points: int
    max_call_code_points: int
    max_message_bytes: int
    max_beam_size: int


def check_contents(contents: Sequence[str], limits: Limits) -> dict[int, KunnafoniError]:
    """Check number and total size; the contents that are empty or too long by themselves, each with its error.

    Returns:
        The error by the place of the content; nothing for those that are right.

    Raises:
        InvalidInputError: there are none or too many, or they are too long together.
    """
    if not contents:
        raise InvalidInputError("contents", "is empty; send at least one text", french="est vide ; envoyez un texte")
    if len(contents) > limits.max_contents:
        raise InvalidInputError(
            "contents",
            f"has {len(contents)} texts; at most {limits.max_contents} are taken",
            french=f"a {len(contents)} textes ; {limits.max_contents} au plus sont acceptés",
        )
    total = sum(map(len, contents))
    if total > limits.max_call_code_points:
        raise InvalidInputError(
            "contents",
            f"have {total} code points together; at most {limits.max_call_code_points} are taken",
            french=f"ont {total} caractères ensemble ; {limits.max_call_code_points} au plus sont acceptés",
        )
    problems = {place: _problem(content, f"contents[{place}]", limits) for place, content in enumerate(contents)}
    return {place: problem for place, problem in problems.items() if problem}


def _problem(content: str, field: str, limits: Limits) -> KunnafoniError | None:
    if not content:
        return InvalidInputError(field, "is empty", french="est vide")
    if len(content) > limits.max_content_code_points:
        return too_long(field, len(content), limits)
    return None


def too_long(field: str, code_points: int, limits: Limits) -> InvalidInputError:
    """The error of a text or an article that has too many code points."""
    most = limits.max_content_code_points
    return InvalidInputError(
        field,
        f"has {code_points} code points; at most {most} are taken",
        french=f"a {code_points} caractères ; {most} au plus sont acceptés",
    )


def check_summary_size(*, max_words: int, key_points: int, field: str = "") -> None:
    """Check what is asked of an edition; `field` is the path of the message that asks, with its dot.

    Raises:
        InvalidInputError: one is out of bounds.
    """
    _check_range(f"{field}max_words", max_words, MAX_SUMMARY_WORDS)
    _check_range(f"{field}key_points", key_points, MAX_KEY_POINTS)


def check_encoding_type(asked: result_pb2.EncodingType.ValueType, field: str = "encoding_type") -> None:
    """Check the unit of spans.

    Raises:
        InvalidInputError: it is not known.
    """
    if asked not in result_pb2.EncodingType.values():
        raise not_known(field, asked)


def not_known(field: str, value: int) -> InvalidInputError:
    """The error of an enum's value that this server does not know."""
    return InvalidInputError(
        field, f"is {value}, which this server does not know", french=f"vaut {value}, que ce serveur ne connaît pas"
    )


def check_page_size(asked: int, most: int) -> None:
    """Check the size of a page; more than `most` is no error.

    Raises:
        InvalidInputError: it is negative.
    """
    if asked < 0:
        _check_range("page_size", asked, most)


def _check_range(field: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise InvalidInputError(
            field, f"is {value}; 0 to {most} are taken", french=f"vaut {value} ; de 0 à {most} sont acceptés"
        )


def target_codes(tags: Sequence[str], field: str = "target_language_codes") -> list[str]:
    """Read the codes of the languages wanted, at least one, each once.

    Raises:
        InvalidInputError: there is none, one is not known, or one is there twice.
    """
    if not tags:
        raise InvalidInputError(
            field, "is empty; give at least one language", french="est vide ; donnez au moins une langue"
        )
    codes = [target_code(tag, f"{field}[{place}]") for place, tag in enumerate(tags)]
    if len(set(codes)) < len(codes):
        raise InvalidInputError(field, "has a language twice", french="contient deux fois une langue")
    return codes


def target_code(tag: str, field: str = "target_language_code") -> str:
    """Read a required language code.

    Raises:
        InvalidInputError: it is empty or not known.
    """
    if not tag:
        codes = ", ".join(sorted(LANGUAGES))
        raise InvalidInputError(field, f"is empty; give one of {codes}", french=f"est vide ; donnez {codes}")
    return _known(tag, field)


def source_code(tag: str, field: str = "source_language_code") -> str | None:
    """Read an optional language code; None means detect.

    Raises:
        InvalidInputError: it is not known.
    """
    return _known(tag, field) if tag else None


def _known(tag: str, field: str) -> str:
    code = known_code(tag)
    if code is not None:
        return code
    if script := other_script(tag):
        raise InvalidInputError(
            field,
            f"asks for the script {script}, which is not served; texts are read and written in Latin letters",
            french=f"demande l'écriture {script}, qui n'est pas servie ; seules les lettres latines le sont",
        )
    codes = ", ".join(sorted(LANGUAGES))
    raise InvalidInputError(
        field,
        f"is not a language of this server; give one of {codes}",
        french=f"n'est pas une langue de ce serveur ; donnez {codes}",
    )


def beam_size(asked: int, limits: Limits, field: str = "decoding.beam_size") -> int:
    """Read an optional beam size; 0 means greedy.

    Raises:
        InvalidInputError: it is negative or above the limit.
    """
    _check_range(field, asked, limits.max_beam_size)
    return asked or 1


def request_context_of(context: grpc.aio.ServicerContext[Any, Any]) -> RequestContext:
    """The engine's view of a call: one share of the batches, and its deadline."""
    remaining_s = cast("float | None", context.time_remaining())  # None if there is no deadline
    return RequestContext(deadline_s=None if remaining_s is None else asyncio.get_running_loop().time() + remaining_s)


def language_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """The language in which a caller wants to be told what is wrong, by its `accept-language`: `en` or `fr`."""
    metadata = dict(context.invocation_metadata() or ())
    return "fr" if str(metadata.get("accept-language", "")).lower().startswith("fr") else "en"
