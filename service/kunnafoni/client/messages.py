"""What both clients have in common: requests are made here and errors are read. It knows no calls and no connections.

The functions for requests take the class of the message, as a call and its streaming twin have the same fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from google.rpc.status_pb2 import Status

from kunnafoni.errors import DeadlineError, InvalidInputError, KunnafoniError, UnavailableError
from kunnafoni.status import DETAILS_KEY, from_status
from kunnafoni.v1 import summarization_pb2, translation_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    import grpc

TranslateT = TypeVar("TranslateT", translation_pb2.TranslateRequest, translation_pb2.TranslateStreamRequest)
SummarizeT = TypeVar("SummarizeT", summarization_pb2.SummarizeRequest, summarization_pb2.SummarizeStreamRequest)


def translate_request(
    message: type[TranslateT], contents: Sequence[str], *, target: str, source: str, beam_size: int
) -> TranslateT:
    """Ask for translations; see `Client.translate`.

    Raises:
        InvalidInputError: `contents` is one text.
    """
    return message(
        contents=_several(contents),
        source_language_code=source,
        target_language_code=target,
        decoding=translation_pb2.Decoding(beam_size=beam_size),
    )


def detect_request(contents: Sequence[str]) -> translation_pb2.DetectLanguageRequest:
    """Ask for languages; see `Client.detect_language`.

    Raises:
        InvalidInputError: `contents` is one text.
    """
    return translation_pb2.DetectLanguageRequest(contents=_several(contents))


def summarize_request(
    message: type[SummarizeT],
    body: str,
    *,
    targets: Sequence[str],
    headline: str,
    source: str,
    length: str,
    max_words: int,
    key_points: int | None,
) -> SummarizeT:
    """Ask for editions; see `Client.summarize`.

    Raises:
        ValueError: `length` is not `short`, `medium` or `long`.
    """
    return message(
        article=summarization_pb2.Article(headline=headline, body=body, language_code=source),
        target_language_codes=targets,
        length=summarization_pb2.SummaryLength.Value(f"SUMMARY_LENGTH_{length.upper()}"),
        max_words=max_words,
        key_points=key_points,
    )


def _several(contents: Sequence[str]) -> Sequence[str]:
    """The `contents` of a call as they are.

    Raises:
        InvalidInputError: They are one text. That is a sequence too, of letters, and each would be translated.
    """
    if isinstance(contents, str):
        raise InvalidInputError(
            "contents",
            "one text where a list of texts belongs: write [text]",
            french="un texte là où il faut une liste de textes : écrivez [texte]",
        )
    return contents


def error_in(result: translation_pb2.Translation | translation_pb2.Detection) -> KunnafoniError | None:
    """Why one content of a call has no result, though the call succeeded; None if it has one."""
    return from_status(result.error) if result.HasField("error") else None


def error_of(error: grpc.RpcError, address: str) -> KunnafoniError:
    """The error that a server at `address` meant by gRPC's."""
    call: Any = error
    trailers: dict[str, Any] = dict(call.trailing_metadata() or ())
    code, _ = call.code().value
    if details := trailers.get(DETAILS_KEY):
        return from_status(Status.FromString(details))
    if call.code().name == UnavailableError.code:
        return UnavailableError(address=address)
    if call.code().name == DeadlineError.code:  # gRPC has no sentence for it
        return DeadlineError()
    return from_status(Status(code=code, message=call.details() or ""))
