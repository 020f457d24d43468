"""`kunnafoni summarize`: an article to its editions, for a terminal, a document, a program or a browser."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from rich.console import Console

from kunnafoni.cli.edition_page import page
from kunnafoni.cli.edition_text import markdown, plain, show
from kunnafoni.cli.options import Address, Force, Local, Timeout, check_files, connect, read_contents
from kunnafoni.documents.articles import article_of
from kunnafoni.documents.records import InputError
from kunnafoni.documents.writing import whole_file


class Length(StrEnum):
    """How long a summary is."""

    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"


class Format(StrEnum):
    """How the editions are written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"


SUFFIXES = {".txt": Format.TEXT, ".md": Format.MARKDOWN, ".json": Format.JSON, ".html": Format.HTML}


def summarize(
    file: Annotated[
        Path,
        typer.Argument(
            help="Article (UTF-8): plain text, Markdown (.md) or HTML; - reads standard input. In plain text a first "
            "line followed by a blank line is the headline, if it does not end as a sentence does.",
            show_default=False,
        ),
    ] = Path("-"),
    *,
    to: Annotated[str, typer.Option("--to", "-t", help="Languages of the editions, separated by commas.")] = "en,fr,bm",
    source: Annotated[str, typer.Option("--from", "-f", help="Language of the article; detected if not given.")] = "",
    headline: Annotated[str | None, typer.Option("--headline", help="Takes the place of the file's headline.")] = None,
    length: Annotated[Length, typer.Option("--length", "-l", help="About 30, 70 or 150 words.")] = Length.MEDIUM,
    max_words: Annotated[
        int, typer.Option("--max-words", min=0, max=400, help="Most words of a summary, in place of --length.")
    ] = 0,
    key_points: Annotated[int, typer.Option("--key-points", "-k", min=0, max=7, help="How many key points.")] = 3,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="How the editions are written, if the file's name does not say it."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file.", show_default=False)
    ] = None,
    force: Force = False,
    address: Address = None,
    local: Local = False,
    timeout: Timeout = None,
) -> None:
    """Headline, summary and key points of an article, one edition a language."""
    form = form or _form_of(output)
    if output:
        check_files([output], force=force)
    [content] = read_contents([file], None)
    try:
        article = article_of(content, file)
    except InputError as error:
        raise typer.BadParameter(str(error)) from error
    if headline is not None:
        article = replace(article, headline=headline)
    with connect(address, timeout, local=local) as client:
        answer = client.summarize(
            article.body,
            headline=article.headline,
            source=source,
            targets=[code.strip() for code in to.split(",") if code.strip()],
            length=length,
            max_words=max_words,
            key_points=key_points,
        )
    if form is Format.TEXT and output is None:
        show(answer, Console(highlight=False))
        return
    written = {
        Format.TEXT: lambda: plain(answer),
        Format.MARKDOWN: lambda: markdown(answer),
        Format.JSON: lambda: MessageToJson(answer, ensure_ascii=False),
        Format.HTML: lambda: page(answer, article),
    }[form]()
    if output is None:
        typer.echo(written)
    else:
        with whole_file(output) as whole:
            whole.write(f"{written}\n")


def _form_of(output: Path | None) -> Format:
    """How a file of that name is written; text for the terminal.

    Raises:
        typer.BadParameter: its name does not say it.
    """
    if output is None:
        return Format.TEXT
    if output.suffix.lower() not in SUFFIXES:
        raise typer.BadParameter(f"{output}: tell how to write it with --format ({', '.join(Format)})")
    return SUFFIXES[output.suffix.lower()]
