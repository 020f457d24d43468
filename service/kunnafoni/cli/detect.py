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
    read_contents,
)
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
    if output is OutputFormat.JSON:
        typer.echo(MessageToJson(DetectLanguageResponse(detections=detections)))
        return
    names = [str(path) for path in files or ["-"]]
    for name, detection in zip(names, detections, strict=True):
        prefix = f"{name}\t" if len(names) > 1 else ""
        typer.echo(f"{prefix}{detection.language_code}\t{detection.confidence:.2f}")
