"""What a job may ask for: checks of specs and items, all done before they are stored."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kunnafoni.errors import InvalidInputError
from kunnafoni.rpc.requests import (
    beam_size,
    check_encoding_type,
    check_summary_size,
    not_known,
    source_code,
    target_codes,
    too_long,
)
from kunnafoni.v1 import job_pb2, summarization_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kunnafoni.rpc.requests import Limits

MAX_ID_CODE_POINTS = 255
MAX_LABELS = 32
MAX_LABEL_KEY_CODE_POINTS = 63
MAX_LABEL_VALUE_CODE_POINTS = 255
MAX_REQUEST_ID_LENGTH = 64
_NAME = re.compile(r"jobs/([A-Za-z0-9_-]{1,64})")


def check_spec(spec: job_pb2.JobSpec, limits: Limits) -> None:
    """Check a spec and write its language codes in their short form.

    Raises:
        InvalidInputError: a field is wrong.
    """
    if spec.kind not in (job_pb2.JOB_KIND_TRANSLATE, job_pb2.JOB_KIND_SUMMARIZE):
        raise InvalidInputError("spec.kind", "is not TRANSLATE or SUMMARIZE", french="n'est ni TRANSLATE ni SUMMARIZE")
    target_codes(spec.options.target_language_codes, "spec.options.target_language_codes")  # there must be one
    check_options(spec.options, limits, "spec.options")
    check_labels(spec.labels, "spec.labels")


def check_labels(labels: Mapping[str, str], field: str) -> None:
    """Check labels, of a job or to find jobs by.

    Raises:
        InvalidInputError: there are too many, or one is wrong.
    """
    if len(labels) > MAX_LABELS:
        raise InvalidInputError(
            field,
            f"has {len(labels)} entries; at most {MAX_LABELS} are taken",
            french=f"a {len(labels)} entrées ; {MAX_LABELS} au plus sont acceptées",
        )
    for key, value in labels.items():
        if not 0 < len(key) <= MAX_LABEL_KEY_CODE_POINTS or len(value) > MAX_LABEL_VALUE_CODE_POINTS:
            raise InvalidInputError(
                field,
                "has a key or value that is empty or too long",
                french="a une clé ou une valeur vide ou trop longue",
            )
        _check_no_nul(key + value, field)


def check_options(options: job_pb2.JobOptions, limits: Limits, field: str) -> None:
    """Check options and write their language codes in their short form.

    Raises:
        InvalidInputError: a field is wrong.
    """
    if options.target_language_codes:
        targets = target_codes(options.target_language_codes, f"{field}.target_language_codes")
        options.target_language_codes[:] = targets
    options.source_language_code = source_code(options.source_language_code, f"{field}.source_language_code") or ""
    beam_size(options.decoding.beam_size, limits, f"{field}.decoding.beam_size")
    if options.length not in summarization_pb2.SummaryLength.values():
        raise not_known(f"{field}.length", options.length)
    check_summary_size(max_words=options.max_words, key_points=options.key_points, field=f"{field}.")
    check_encoding_type(options.encoding_type, f"{field}.encoding_type")


def check_item(item: job_pb2.JobItem, kind: job_pb2.JobKind.ValueType, limits: Limits, field: str) -> int:
    """Check an item and write its language codes in their short form; returns its code points.

    Raises:
        InvalidInputError: a field is wrong.
    """
    if len(item.id) > MAX_ID_CODE_POINTS:
        raise InvalidInputError(
            f"{field}.id",
            f"has {len(item.id)} code points; at most {MAX_ID_CODE_POINTS} are taken",
            french=f"a {len(item.id)} caractères ; {MAX_ID_CODE_POINTS} au plus sont acceptés",
        )
    _check_no_nul(item.id, f"{field}.id")
    if kind == job_pb2.JOB_KIND_TRANSLATE:
        name, code_points = "text", len(item.text)
    else:
        name, code_points = "article", len(item.article.headline) + len(item.article.body)
        if tag := item.article.language_code:
            item.article.language_code = source_code(tag, f"{field}.article.language_code") or ""
    if item.WhichOneof("content") != name or not code_points:
        raise InvalidInputError(f"{field}.{name}", "is absent or empty", french="est absent ou vide")
    if code_points > limits.max_content_code_points:
        raise too_long(f"{field}.{name}", code_points, limits)
    if item.HasField("options"):
        check_options(item.options, limits, f"{field}.options")
    return code_points


def _check_no_nul(text: str, field: str) -> None:
    if "\0" in text:
        raise InvalidInputError(field, "has a NUL character", french="contient un caractère nul")


def check_request_id(request_id: str) -> str | None:
    """Read an optional request id; None if there is none.

    Raises:
        InvalidInputError: it is too long or has other characters.
    """
    if len(request_id) > MAX_REQUEST_ID_LENGTH or not request_id.isascii() or not request_id.isprintable():
        raise InvalidInputError(
            "request_id",
            f"is not at most {MAX_REQUEST_ID_LENGTH} printable ASCII characters",
            french=f"n'a pas au plus {MAX_REQUEST_ID_LENGTH} caractères ASCII imprimables",
        )
    return request_id or None


def job_id_of(name: str) -> str:
    """Read the name of a job; returns its identifier.

    Raises:
        InvalidInputError: it is not `jobs/` and an identifier.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise InvalidInputError(
            "name",
            "is not the name of a job: jobs/ and an identifier",
            french="n'est pas le nom d'un travail : jobs/ et un identifiant",
        )
    return found[1]
