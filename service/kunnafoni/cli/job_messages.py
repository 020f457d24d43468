"""Items of files to messages of the job service, and its results to what is written into files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs]
from google.rpc.code_pb2 import Code

from kunnafoni.documents.values import EditionText, InputItem, ItemError, OutputRecord, SentencePair, TranslatedText
from kunnafoni.v1 import job_pb2, result_pb2, summarization_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kunnafoni.v1.result_pb2 import Span
    from kunnafoni.v1.translation_pb2 import Translation

# How texts are encoded whose spans do not count code points, and the bytes of a unit.
_ENCODINGS = {result_pb2.ENCODING_TYPE_UTF8: ("utf-8", 1), result_pb2.ENCODING_TYPE_UTF16: ("utf-16-le", 2)}


def item_message(item: InputItem, *, article: bool) -> job_pb2.JobItem:
    """An item of a file as a message, as an article or as a text."""
    message = job_pb2.JobItem(id=item.id)
    if article:
        message.article.CopyFrom(summarization_pb2.Article(headline=item.headline, body=item.text))
    else:
        message.text = item.text
    if item.language:
        message.options.source_language_code = item.language
    return message


def output_record(result: job_pb2.JobResult, options: job_pb2.JobOptions, *, full: bool = False) -> OutputRecord:
    """A result that came with its item.

    Args:
        result: With `item`.
        options: Of the job; the item may have others of its own.
        full: Whether the record is to have everything that the message says.
    """
    article, own = result.item.article, result.item.options
    languages = own.target_language_codes or options.target_language_codes
    pieces_of = partial(_pieces, encoding_type=own.encoding_type or options.encoding_type)
    translations = [
        _translation(each, language, result.item.text, pieces_of)
        for each, language in zip(result.translations, languages, strict=False)
    ]
    editions = [_edition(each, language) for each, language in zip(result.editions, languages, strict=False)]
    return OutputRecord(
        index=result.index,
        item=InputItem(id=result.id, text=article.body or result.item.text, headline=article.headline),
        results=tuple(translations) or tuple(editions),
        error=_error(result) if result.HasField("error") else None,
        full=MessageToDict(result) if full else {},
    )


def _translation(
    translation: Translation, language: str, source_text: str, pieces_of: Callable[[str, list[Span]], list[str]]
) -> TranslatedText:
    segments = [segment for segment in translation.segments if segment.finish_reason != result_pb2.FINISH_REASON_COPIED]
    sources = pieces_of(source_text, [segment.source_span for segment in segments])
    targets = pieces_of(translation.text, [segment.target_span for segment in segments])
    warnings = [_warning_names(segment.warnings) for segment in segments]
    sentences = map(SentencePair, sources, targets, warnings)
    return TranslatedText(
        language=language,
        source_language=translation.source_language_code,
        text=translation.text,
        warnings=_warning_names(warning for segment in translation.segments for warning in segment.warnings),
        sentences=tuple(sentences),
    )


def _pieces(text: str, spans: list[Span], *, encoding_type: result_pb2.EncodingType.ValueType) -> list[str]:
    """The texts of spans, which count in the unit of `encoding_type`."""
    if encoding_type not in _ENCODINGS:
        return [text[span.start : span.end] for span in spans]
    encoding, width = _ENCODINGS[encoding_type]
    data = text.encode(encoding)
    return [data[span.start * width : span.end * width].decode(encoding) for span in spans]


def _edition(edition: summarization_pb2.Edition, language: str) -> EditionText:
    return EditionText(
        language=language,
        headline=edition.headline,
        summary=edition.summary,
        key_points=tuple(point.text for point in edition.key_points),
        warnings=_warning_names(edition.warnings),
    )


def _warning_names(
    warnings: Iterable[result_pb2.Warning] | Iterable[summarization_pb2.EditionWarning],
) -> tuple[str, ...]:
    """The names of warnings, each once, in the order in which they come first."""
    names = (result_pb2.WarningType.Name(warning.type) for warning in warnings)
    return tuple(dict.fromkeys(name.removeprefix("WARNING_TYPE_") for name in names))


def _error(result: job_pb2.JobResult) -> ItemError:
    info = error_details_pb2.ErrorInfo()
    for detail in result.error.details:
        detail.Unpack(info)
    return ItemError(code=Code.Name(result.error.code), reason=info.reason, message=result.error.message)
