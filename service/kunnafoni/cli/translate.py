"""`kunnafoni translate`: files or a text into another language."""

from __future__ import annotations

from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from rich.console import Console

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
from kunnafoni.v1.result_pb2 import WarningType
from kunnafoni.v1.translation_pb2 import Segment, TranslateResponse


def translate(
    files: Files = None,
    *,
    to: Annotated[str, typer.Option("--to", "-t", help="Language to translate into: en, fr or bm.")],
    source: Annotated[str, typer.Option("--from", "-f", help="Language of the text; detected if not given.")] = "",
    text: Text = None,
    beam_size: Annotated[int, typer.Option("--beam", min=0, help="Hypotheses kept by the search; 0 is greedy.")] = 0,
    output: AnswerFormat = OutputFormat.TEXT,
    address: Address = None,
    local: Local = False,
    timeout: Timeout = None,
) -> None:
    """Translate files, standard input or --text. Warnings go to standard error, the translation to standard output."""
    contents = read_contents(files, text)
    with connect(address, timeout, local=local) as client:
        if output is OutputFormat.JSON:
            answer = client.translate(contents, target=to, source=source, beam_size=beam_size)
            typer.echo(MessageToJson(TranslateResponse(translations=answer), ensure_ascii=False))
            return
        notes = Console(stderr=True, highlight=False)
        for piece in client.translate_stream(contents, target=to, source=source, beam_size=beam_size):
            typer.echo(piece.text, nl=False)
            if piece.HasField("segment"):
                content = contents[piece.content_index]
                for note in _notes(piece.segment, content):
                    notes.print(note, style="yellow", markup=False, soft_wrap=True)
            elif not contents[piece.content_index].endswith("\n"):
                typer.echo()


def _notes(segment: Segment, content: str) -> list[str]:
    source = content[segment.source_span.start : segment.source_span.end]
    return [
        f"{WarningType.Name(warning.type).removeprefix('WARNING_TYPE_')}: {warning.detail} [{source}]"
        for warning in segment.warnings
    ]
