"""Editions for people who read text: in the terminal, as plain text, and as a Markdown document."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from kunnafoni.cli.marked_text import Note, made_notes, method_of, missed_notes, notes_of, pieces
from kunnafoni.languages import LANGUAGES
from kunnafoni.v1.summarization_pb2 import EDITION_PART_HEADLINE, EDITION_PART_SUMMARY

if TYPE_CHECKING:
    from kunnafoni.v1.summarization_pb2 import Edition, KeyPoint, SummarizeResponse

PLAIN_WIDTH = 100


def plain(answer: SummarizeResponse) -> str:
    """All editions as plain text."""
    stream = StringIO()
    show(answer, Console(file=stream, highlight=False, width=PLAIN_WIDTH))
    return stream.getvalue().rstrip()


def show(answer: SummarizeResponse, console: Console) -> None:
    """Print all editions; words that warnings are about stand out, and the warnings follow their text."""
    for edition in answer.editions:
        console.print(Rule(Text(f"{_name(edition)}, {_how(edition)}"), align="left"))
        _print(console, edition.headline, notes_of(edition, EDITION_PART_HEADLINE), style="bold")
        console.print()
        _print(console, edition.summary, notes_of(edition, EDITION_PART_SUMMARY))
        for point in edition.key_points:
            console.print()
            _print(console, point.text, made_notes(point), bullet="•")
            if point.text != point.source_text:
                _print(console, point.source_text, missed_notes(point), style="dim", bullet=" ")
        console.print()


def _print(console: Console, text: str, notes: list[Note], *, style: str = "", bullet: str = "") -> None:
    line = Text()
    for piece, about in pieces(text, notes):
        line.append(piece, style=f"{style} underline yellow" if about else style)
    console.print(_indented(line, bullet) if bullet else line)
    for note in notes:
        words = "".join(f" [{words}]" for words in note.words(text))
        console.print(_indented(Text(f"{note.label}{words}", style="yellow"), "!"))


def _indented(text: Text, bullet: str = " ") -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(bullet, text)
    return grid


def markdown(answer: SummarizeResponse) -> str:
    """All editions as one Markdown document."""
    return "\n\n".join(block for edition in answer.editions for block in _markdown_blocks(edition))


def _markdown_blocks(edition: Edition) -> list[str]:
    blocks = [f"# {_escaped(edition.headline)}", f"*{_name(edition)}, {_how(edition)}*", _escaped(edition.summary)]
    points = [_markdown_point(point) for point in edition.key_points]
    if points:
        blocks.append("\n".join(points))
    parts = (("headline", EDITION_PART_HEADLINE, edition.headline), ("summary", EDITION_PART_SUMMARY, edition.summary))
    warnings = [f"> **{name}**: {_about(note, text)}" for name, part, text in parts for note in notes_of(edition, part)]
    if warnings:
        blocks.append("  \n".join(warnings))
    return blocks


def _markdown_point(point: KeyPoint) -> str:
    lines = [f"- {_escaped(_one_line(point.text))}"]
    if point.text != point.source_text:
        lines.append(f"  > {_escaped(_one_line(point.source_text))}")
    lines += [f"  > {_about(note, point.text)}" for note in made_notes(point)]
    lines += [f"  > {_about(note, point.source_text)}" for note in missed_notes(point)]
    return "  \n".join(lines)


def _about(note: Note, text: str) -> str:
    words = "".join(f" ({_escaped(words)})" for words in note.words(text))
    return f"{_escaped(note.label)}{words}"


def _name(edition: Edition) -> str:
    return f"{LANGUAGES[edition.language_code].english_name} ({edition.language_code})"


def _how(edition: Edition) -> str:
    return f"{method_of(edition)}, {edition.coverage:.0%} of the article read"


def _one_line(text: str) -> str:
    return " ".join(text.split())


_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])|^(\s*)([-+>]|\d+[.)])(?=\s)", re.MULTILINE)


def _escaped(text: str) -> str:
    """`text` with everything escaped that Markdown would take for a mark."""
    return _SPECIAL.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}{_mark(found[3])}", text)


def _mark(mark: str) -> str:
    return f"{mark[:-1]}\\{mark[-1]}"
