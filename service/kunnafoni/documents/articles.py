"""Articles out of files: plain text, Markdown and HTML to a headline and a body of plain text.

It knows the form of files, not their language or what becomes of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from kunnafoni.documents.records import InputError
from kunnafoni_models.extras import needs_extra

if TYPE_CHECKING:
    from pathlib import Path

MOST_HEADLINE_WORDS = 25


@dataclass(frozen=True, slots=True)
class FileArticle:
    """An article as a file has it: plain text, paragraphs separated by blank lines; the headline may be empty."""

    headline: str
    body: str


class Form(StrEnum):
    """How a file is written."""

    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


FORMS = {
    ".md": Form.MARKDOWN,
    ".markdown": Form.MARKDOWN,
    ".html": Form.HTML,
    ".htm": Form.HTML,
    ".xhtml": Form.HTML,
}
_HTML = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype html|html)\b", re.IGNORECASE | re.DOTALL)


def article_of(content: str, path: Path) -> FileArticle:
    """The article in a file's `content`, whose form the ending of `path` says; content that begins as HTML is HTML.

    Raises:
        InputError: an HTML page has no article.
    """
    form = Form.HTML if _HTML.match(content) else FORMS.get(path.suffix.lower(), Form.TEXT)
    if form is Form.HTML:
        return _from_html(content, path.name)
    return _from_markdown(content) if form is Form.MARKDOWN else _from_text(content)


def _from_text(content: str) -> FileArticle:
    """A first line followed by a blank line is the headline, unless it ends as a sentence or is as long as one."""
    first, line_break, rest = content.strip("\ufeff\n\r ").replace("\r\n", "\n").partition("\n")
    is_headline = (
        line_break
        and not rest.partition("\n")[0].strip()
        and rest.strip()
        and not first.rstrip().endswith((".", "…", ":", ","))
        and len(first.split()) <= MOST_HEADLINE_WORDS
    )
    return FileArticle(first.strip(), rest.strip("\n")) if is_headline else FileArticle("", content)


_FRONT_MATTER = re.compile(r"\A---\n(.*?\n)---\n", re.DOTALL)
_TITLE = re.compile(r"^title:\s*[\"']?(.+?)[\"']?\s*$", re.MULTILINE)


def _from_markdown(content: str) -> FileArticle:
    """The title of the front matter or the first heading is the headline if it comes first.

    Code and tables, which are no sentences, are left out.
    """
    content = content.replace("\r\n", "\n")
    front_matter = _FRONT_MATTER.match(content)
    title = _TITLE.search(front_matter[1]) if front_matter else None
    headline = title[1] if title else ""
    blocks: list[str] = []
    opened = ""
    in_table = False
    reader = MarkdownIt().enable("table")
    for token in reader.parse(content[front_matter.end() :] if front_matter else content):
        if token.type != "inline":
            opened = token.type
            in_table = opened != "table_close" and (in_table or opened == "table_open")
            continue
        if in_table:
            continue
        text = "".join(
            " " if child.type in {"softbreak", "hardbreak"} else child.content
            for child in token.children or []
            if child.type in {"text", "code_inline", "softbreak", "hardbreak"}
        ).strip()
        if opened == "heading_open" and not blocks and not headline:
            headline = text
        elif text:
            blocks.append(text)
    return FileArticle(headline, "\n\n".join(blocks))


def _from_html(content: str, name: str) -> FileArticle:
    with needs_extra("documents", "reading an HTML page"):
        import trafilatura  # noqa: PLC0415 - it takes half a second, and most commands read no page

    found = trafilatura.bare_extraction(content, with_metadata=True, include_comments=False, include_tables=False)
    text = (found.get("text") if isinstance(found, dict) else found and found.text) or ""
    title = (found.get("title") if isinstance(found, dict) else found and found.title) or ""
    blocks = [line.strip() for line in text.splitlines() if line.strip()]
    if blocks and blocks[0] == title.strip():
        del blocks[0]
    if not blocks:
        raise InputError(name, "has no article that can be separated from the rest of the page")
    return FileArticle(title.strip(), "\n\n".join(blocks))
