"""Items of files to messages of the job service, and its results to what is written into files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs]
from google.rpc.code_pb2 import Code

from kunnafoni.documents.values import EditionText, InputItem, ItemError, OutputRecord, SentencePair, TranslatedText
from kunnafoni.v1 import job_pb2, result_pb2, summarization_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kunnafoni.v1.translation_pb2 import Translation


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


def output_record(result: job_pb2.JobResult, targets: Sequence[str], *, full: bool = False) -> OutputRecord:
    """A result that came with its item.

    Args:
        result: With `item`.
        targets: Languages of the job, in order; an item may have others of its own.
        full: Whether the record is to have everything that the message says.
    """
    article = result.item.article
    languages = result.item.options.target_language_codes or targets
    translations = [
        _translation(each, language, result.item.text)
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


def _translation(translation: Translation, language: str, source_text: str) -> TranslatedText:
    sentences = (
        SentencePair(
            source_text[segment.source_span.start : segment.source_span.end],
            translation.text[segment.target_span.start : segment.target_span.end],
            _warning_names(segment.warnings),
        )
        for segment in translation.segments
        if segment.finish_reason != result_pb2.FINISH_REASON_COPIED
    )
    return TranslatedText(
        language=language,
        source_language=translation.source_language_code,
        text=translation.text,
        warnings=_warning_names(warning for segment in translation.segments for warning in segment.warnings),
        sentences=tuple(sentences),
    )


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
