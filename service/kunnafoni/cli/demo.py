"""`kunnafoni demo`: the sample article through a real server, which runs in a process of its own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from kunnafoni.cli.local_server import local_server
from kunnafoni.cli.marked_text import method_of
from kunnafoni.client import Client
from kunnafoni.documents.articles import article_of
from kunnafoni.v1.summarization_pb2 import Edition

SAMPLE = "sample_article.txt"


def demo() -> None:
    """Start a server on the embedded model, show the sample article and its three editions, and stop it."""
    console = Console(highlight=False)
    content = files("kunnafoni.cli").joinpath(SAMPLE).read_text("utf-8")
    article = article_of(content, Path(SAMPLE))
    with local_server() as server, Client(server.address) as client:
        [detection] = client.detect_language([content])
        note = f"the article, confidence {detection.confidence:.2f}"
        console.print(_panel(detection.language_code, note, Text(content.strip())))
        for answer in client.summarize_stream(
            article.body, headline=article.headline, targets=("en", "fr", "bm"), length="short"
        ):
            console.print(_edition(answer.edition))


def _edition(edition: Edition) -> Panel:
    hops = ", ".join(f"{hop.model_id} {hop.source_language_code}>{hop.target_language_code}" for hop in edition.route)
    warnings = len(edition.warnings) + sum(len(point.warnings) for point in edition.key_points)
    return _panel(
        edition.language_code,
        f"{method_of(edition)}; {hops or 'no model'}; {warnings} warnings",
        Text(edition.headline, style="bold"),
        Text(f"\n{edition.summary}\n"),
        *(Text(f"• {' '.join(point.text.split())}") for point in edition.key_points),
    )


def _panel(language: str, note: str, *parts: Text) -> Panel:
    return Panel(Group(*parts), title=language, subtitle=note, title_align="left", subtitle_align="left")
