"""Specs, items and results of jobs as they are stored: the messages of `job.proto`, in their wire format."""

from __future__ import annotations

from kunnafoni.jobs.values import ItemResult, JobItem, JobKind, JobOptions, JobSpec
from kunnafoni.rpc.summarization import LENGTHS
from kunnafoni.rpc.summarization_messages import edition_message
from kunnafoni.rpc.translation_messages import translation_message
from kunnafoni.status import to_status
from kunnafoni.v1 import job_pb2, result_pb2, summarization_pb2

KINDS = {job_pb2.JOB_KIND_TRANSLATE: JobKind.TRANSLATE, job_pb2.JOB_KIND_SUMMARIZE: JobKind.SUMMARIZE}


class JobCodec:
    """A `kunnafoni.jobs.values.Codec`."""

    def decode_spec(self, spec: bytes) -> JobSpec:
        """See Codec."""
        message = job_pb2.JobSpec.FromString(spec)
        return JobSpec(kind=KINDS[message.kind], options=_options(message.options), labels=dict(message.labels))

    def decode_item(self, item: bytes) -> JobItem:
        """See Codec."""
        message = job_pb2.JobItem.FromString(item)
        article = message.article
        return JobItem(
            text=article.body if message.HasField("article") else message.text,
            headline=article.headline,
            language=article.language_code or None,
            options=_options(message.options),
        )

    def encode_result(self, result: ItemResult, spec: bytes, item: bytes) -> bytes:
        """See Codec."""
        content = job_pb2.JobItem.FromString(item)
        unit = content.options.encoding_type or job_pb2.JobSpec.FromString(spec).options.encoding_type
        message = job_pb2.JobResult(
            translations=[translation_message(each, content.text, unit) for each in result.translations],
            editions=[edition_message(each, content.article.body, unit) for each in result.editions],
        )
        if result.error:
            message.error.CopyFrom(to_status(result.error))
        return message.SerializeToString()


def _options(message: job_pb2.JobOptions) -> JobOptions:
    unset = message.length == summarization_pb2.SUMMARY_LENGTH_UNSPECIFIED
    return JobOptions(
        targets=tuple(message.target_language_codes),
        source=message.source_language_code or None,
        beam_size=message.decoding.beam_size,
        length=None if unset else LENGTHS[message.length],
        max_words=message.max_words,
        key_points=message.key_points if message.HasField("key_points") else None,
        span_unit=result_pb2.EncodingType.Name(message.encoding_type) if message.encoding_type else "",
    )
