"""`kunnafoni detect`: the language of files or a text."""

from __future__ import annotations

import typer
from google.protobuf.json_format import MessageToJson

from kunnafoni.cli.options import (
    Address,
    AnswerFormat,
    Files,
    Local,
    OutputFormat,
    Text,
    Timeout,
    connect,
    content_names,
    read_contents,
    report_errors,
)
from kunnafoni.client import error_in
from kunnafoni.v1.translation_pb2 import DetectLanguageResponse


def detect(
    files: Files = None,
    *,
    text: Text = None,
    output: AnswerFormat = OutputFormat.TEXT,
    address: Address = None,
    local: Local = False,
    timeout: Timeout = None,
) -> None:
    """Print the language of each file, of standard input or of --text: its code and the confidence."""
    contents = read_contents(files, text)
    with connect(address, timeout, local=local) as client:
        detections = client.detect_language(contents)
    names = content_names(files, text)
    if output is OutputFormat.JSON:
        typer.echo(MessageToJson(DetectLanguageResponse(detections=detections)))
    else:
        for name, detection in zip(names, detections, strict=True):
            prefix = f"{name}\t" if len(names) > 1 else ""
            if not detection.HasField("error"):
                typer.echo(f"{prefix}{detection.language_code}\t{detection.confidence:.2f}")
    errors = map(error_in, detections)
    report_errors(((place, error) for place, error in enumerate(errors) if error), names)
