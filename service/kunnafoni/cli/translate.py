"""`kunnafoni translate`: files or a text into another language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from textwrap import shorten
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from rich.console import Console

from kunnafoni.cli.marked_text import made_notes, missed_notes
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
from kunnafoni.errors import KunnafoniError
from kunnafoni.v1.translation_pb2 import Segment, TranslateResponse, TranslateStreamResponse

MOST_QUOTED_CHARACTERS = 60


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
    """Translate files, standard input or --text, to standard output; warnings go to standard error."""
    contents, names = read_contents(files, text), content_names(files, text)
    with connect(address, timeout, local=local) as client:
        if output is OutputFormat.JSON:
            answer = client.translate(contents, target=to, source=source, beam_size=beam_size)
            typer.echo(MessageToJson(TranslateResponse(translations=answer), ensure_ascii=False))
            errors = [error_in(translation) for translation in answer]
        else:
            stream = client.translate_stream(contents, target=to, source=source, beam_size=beam_size)
            by_content = groupby(stream, key=lambda piece: piece.content_index)
            errors = [show(pieces, contents[index]) for index, pieces in by_content]
    report_errors(((place, error) for place, error in enumerate(errors) if error), names)


def show(pieces: Iterable[TranslateStreamResponse], content: str) -> KunnafoniError | None:
    """Print the translation of `content` as it comes; below it, where they part no words, its warnings.

    Returns:
        Why it has no translation; None if it has one.
    """
    texts: list[str] = []
    segments: list[Segment] = []
    error = None
    try:
        for piece in pieces:
            error = error_in(piece.translation)
            typer.echo(piece.text, nl=False)
            texts.append(piece.text)
            if piece.HasField("segment"):
                segments.append(piece.segment)
    finally:  # of a translation that breaks off too
        made = "".join(texts)
        if made and not made.endswith("\n"):
            typer.echo()
        console = Console(stderr=True, highlight=False)
        for segment in segments:
            for note in _notes(segment, content, made):
                console.print(note, style="yellow", markup=False, soft_wrap=True)
    return error


def _notes(segment: Segment, content: str, made: str) -> Iterator[str]:
    """The warnings of a segment, one per type, each with all the words it is about and the sentence they are in."""
    words: dict[str, list[str]] = {}
    for text, notes in ((made, made_notes(segment)), (content, missed_notes(segment))):
        for note in notes:
            words.setdefault(note.label, []).extend(f"[{words}]" for words in note.words(text))
    sentence = content[segment.source_span.start : segment.source_span.end]
    where = shorten(sentence, MOST_QUOTED_CHARACTERS, placeholder=" …")
    for label, quoted in words.items():
        yield f"! {' '.join((label, *dict.fromkeys(quoted)))}, in: {where}"
