"""What a request may hold: checks that every servicer shares, all done before any work starts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from kunnafoni.engine.caller import Caller
from kunnafoni.errors import InvalidInputError, Violation
from kunnafoni.languages import LANGUAGES, known_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc

MAX_VIOLATIONS = 20
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


def check_contents(contents: Sequence[str], limits: Limits) -> None:
    """Check number and sizes.

    Raises:
        InvalidInputError: with a violation for each wrong content, the first 20 of them.
    """
    if not contents:
        raise InvalidInputError("contents", "is empty; send at least one text")
    if len(contents) > limits.max_contents:
        raise InvalidInputError("contents", f"has {len(contents)} texts; at most {limits.max_contents} are taken")
    wrong = [
        Violation(f"contents[{index}]", problem)
        for index, content in enumerate(contents)
        if (problem := _problem(content, limits))
    ]
    if wrong:
        first, *more = wrong[:MAX_VIOLATIONS]
        raise InvalidInputError(first.field, first.description, *more)
    total = sum(map(len, contents))
    if total > limits.max_call_code_points:
        raise InvalidInputError(
            "contents", f"have {total} code points together; at most {limits.max_call_code_points} are taken"
        )


def check_summary_size(*, max_words: int, key_points: int, field: str = "") -> None:
    """Check what is asked of an edition; `field` is the path of the message that asks, with its dot.

    Raises:
        InvalidInputError: one is out of bounds.
    """
    if not 0 <= max_words <= MAX_SUMMARY_WORDS:
        raise InvalidInputError(f"{field}max_words", f"is {max_words}; 0 to {MAX_SUMMARY_WORDS} are taken")
    if not 0 <= key_points <= MAX_KEY_POINTS:
        raise InvalidInputError(f"{field}key_points", f"is {key_points}; 0 to {MAX_KEY_POINTS} are taken")


def _problem(content: str, limits: Limits) -> str | None:
    if not content:
        return "is empty"
    if len(content) > limits.max_content_code_points:
        return f"has {len(content)} code points; at most {limits.max_content_code_points} are taken"
    return None


def target_code(tag: str, field: str = "target_language_code") -> str:
    """Read a required language code.

    Raises:
        InvalidInputError: it is empty or not known.
    """
    if not tag:
        raise InvalidInputError(field, f"is empty; give one of {_codes()}")
    return _known(tag, field)


def source_code(tag: str, field: str = "source_language_code") -> str | None:
    """Read an optional language code; None means detect.

    Raises:
        InvalidInputError: it is not known.
    """
    return _known(tag, field) if tag else None


def _known(tag: str, field: str) -> str:
    code = known_code(tag)
    if code is None:
        raise InvalidInputError(field, f"is not a language of this server; give one of {_codes()}")
    return code


def _codes() -> str:
    return ", ".join(sorted(LANGUAGES))


def beam_size(asked: int, limits: Limits, field: str = "decoding.beam_size") -> int:
    """Read an optional beam size; 0 means greedy.

    Raises:
        InvalidInputError: it is negative or above the limit.
    """
    if not 0 <= asked <= limits.max_beam_size:
        raise InvalidInputError(field, f"is {asked}; 0 to {limits.max_beam_size} are taken")
    return asked or 1


def caller_of(context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
    """The engine's view of a call: one share of the batches, and its deadline."""
    remaining_s = cast("float | None", context.time_remaining())  # None if there is no deadline
    return Caller(deadline_s=None if remaining_s is None else asyncio.get_running_loop().time() + remaining_s)
