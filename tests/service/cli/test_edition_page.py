"""The page and the documents that editions are written to: escaped, linked, with every warning at its words."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import StringIO

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from kunnafoni.cli.edition_page import page
from kunnafoni.cli.edition_text import markdown, plain, show
from kunnafoni.documents.articles import FileArticle
from kunnafoni.v1.result_pb2 import (
    WARNING_TYPE_NAME_MISSING,
    WARNING_TYPE_UNSUPPORTED_NUMBER,
    WARNING_TYPE_UNTRANSLATED,
    Span,
)
from kunnafoni.v1.result_pb2 import Warning as WireWarning
from kunnafoni.v1.summarization_pb2 import (
    EDITION_PART_HEADLINE,
    EDITION_PART_SUMMARY,
    SUMMARY_METHOD_GENERATED,
    Edition,
    EditionWarning,
    KeyPoint,
    SummarizeResponse,
)

NASTY = """<script>alert("1 & 2")</script> *x* _y_ [z](http://a) `c` # 'h'"""
BODY = f"Rain fell in Gao. {NASTY}. The road to Kita is closed."
VOID = {"meta", "br"}


def answer(text: str = NASTY) -> SummarizeResponse:
    start = BODY.index("The road")
    return SummarizeResponse(
        source_language_code="en",
        editions=[
            Edition(
                language_code="fr",
                headline=text,
                summary=f"Il a plu 99 fois. {text}",
                summary_method=SUMMARY_METHOD_GENERATED,
                coverage=0.5,
                key_points=[
                    KeyPoint(
                        text=f"La route est fermée. {text}",
                        source_text=BODY[start:],
                        span=Span(start=start, end=len(BODY)),
                        warnings=[
                            WireWarning(
                                type=WARNING_TYPE_NAME_MISSING, source_span=Span(start=12, end=16), detail="<b>"
                            )
                        ],
                    )
                ],
                warnings=[
                    *(
                        EditionWarning(
                            type=WARNING_TYPE_NAME_MISSING,
                            part=EDITION_PART_HEADLINE,
                            detail="missing",
                            source_words=words,
                        )
                        for words in ("Musa", "<Awa>")
                    ),
                    EditionWarning(
                        type=WARNING_TYPE_UNSUPPORTED_NUMBER, part=EDITION_PART_SUMMARY, span=Span(start=9, end=11)
                    ),
                    EditionWarning(
                        type=WARNING_TYPE_UNSUPPORTED_NUMBER, part=EDITION_PART_SUMMARY, span=Span(start=10, end=16)
                    ),
                ],
            )
        ],
    )


class Reader(HTMLParser):
    """Checks that tags nest, and keeps texts, identifiers and targets."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not (tag == "a" and "a" in self.open)
        if tag not in VOID:
            self.open.append(tag)
        values = dict(attrs)
        self.ids += filter(None, [values.get("id")])
        href = values.get("href")
        self.targets += [each.removeprefix("#") for each in (href, values.get("aria-describedby")) if each]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


@given(st.text(max_size=40))
def test_the_page_is_well_formed_and_escaped(text: str) -> None:
    html = page(answer(f"{text}{NASTY}"), FileArticle(text, BODY))
    read = Reader(html)
    assert "<script" not in html
    assert NASTY in read.text
    assert len(set(read.ids)) == len(read.ids)
    assert set(read.targets) <= set(read.ids)


def test_warnings_stand_at_their_words_and_key_points_at_their_sentences() -> None:
    html = page(answer(), FileArticle("Rain", BODY))
    assert re.search(r'Il a plu <mark class="warned" aria-describedby="([^"]+)">99</mark><sup><a href="#\1"', html)
    assert re.search(r'<mark class="warned"[^>]*>Kita</mark><sup>1</sup>', html)
    start = BODY.index("The road")
    assert f'<a class="original" lang="en" href="#sentence-{start}">' in html
    assert f'<mark id="sentence-{start}">The road to Kita is closed.</mark>' in html
    assert '<article class="edition" lang="fr">' in html
    assert html.count("unsupported number") == 2
    assert "<b>name missing</b>: missing <q>Musa</q> <q>&lt;Awa&gt;</q>" in html
    assert "http" not in html.replace("http-equiv", "").replace("http://a", "")


def test_a_key_point_in_the_articles_own_words_has_its_warnings_below_it() -> None:
    edited = answer()
    [point] = edited.editions[0].key_points
    point.text = point.source_text
    span = Span(end=len(point.text))
    point.warnings.append(WireWarning(type=WARNING_TYPE_UNTRANSLATED, target_span=span, detail="this is in English"))
    html = page(edited, FileArticle("Rain", BODY))
    read = Reader(html)
    assert set(read.targets) <= set(read.ids)
    assert "untranslated: this is in English" in read.text
    assert 'fr-1-warning-1">The road to Kita is closed.</mark><sup>1</sup></a><ul class="notes"' in html


def test_markdown_shows_what_was_meant() -> None:
    tokens = MarkdownIt().parse(markdown(answer()))
    shown = [
        "".join(child.content for child in token.children or [] if child.type == "text")
        for token in tokens
        if token.type == "inline"
    ]
    kinds = {child.type for token in tokens for child in token.children or []}
    assert NASTY in shown
    assert any("name missing: missing (Musa) (<Awa>)" in each for each in shown)
    assert f"Il a plu 99 fois. {NASTY}" in shown
    assert not kinds & {"html_inline", "link_open", "code_inline"}
    assert not {token.type for token in tokens} & {"html_block", "fence", "code_block"}


def test_text_names_the_words_of_a_warning() -> None:
    text = plain(answer())
    assert "unsupported number [99]" in text
    assert "name missing: missing [Musa] [<Awa>]" in text
    assert "[Kita]" in text
    assert '<script>alert("1 & 2")' in text
    stream = StringIO()
    show(answer(), Console(file=stream, force_terminal=True, width=60, highlight=False))
    assert "\x1b[" in stream.getvalue()
