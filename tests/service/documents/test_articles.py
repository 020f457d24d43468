"""Articles out of text, Markdown and HTML files."""

from __future__ import annotations

from pathlib import Path

import pytest

from kunnafoni.documents.articles import FileArticle, article_of
from kunnafoni.documents.records import InputError

MARKDOWN = """---
title: "School *opens* in Kita"
---

The **mayor** opened a [school](https://example.org) in
Kita on Monday.

## Works

- It has `12` rooms.
- It cost 3 < 4 million.

```
code is no news
```

| Item | Price |
|---|---|
| Roof | 2 million |

It opens at 8.
"""
PAGE = """<!doctype html>
<html lang="fr"><head><title>Une école ouvre à Kita | Le Journal</title>
<meta property="og:title" content="Une école ouvre à Kita"></head>
<body><nav><a href="/">Accueil</a> <a href="/sport">Sport</a></nav>
<article><h1>Une école ouvre à Kita</h1>
<p>Le maire de Kita a ouvert une nouvelle école lundi matin, devant des centaines d'habitants &amp; d'élèves.</p>
<p>Les travaux ont duré deux ans et ont coûté 14 millions de francs, selon la mairie de la ville.</p></article>
<footer>© Le Journal, tous droits réservés</footer></body></html>
"""


@pytest.mark.parametrize(
    ("content", "headline", "body"),
    [
        ("School opens\n\nIt opened on Monday.\n", "School opens", "It opened on Monday."),
        ("\ufeffSchool opens?\r\n\r\nIt opened.\r\nOn Monday.", "School opens?", "It opened.\nOn Monday."),
        ("It opened on Monday.\n\nThe mayor was there.", "", "It opened on Monday.\n\nThe mayor was there."),
        ("First line\nSecond line", "", "First line\nSecond line"),
        ("Only a headline\n\n", "", "Only a headline\n\n"),
        (f"{'word ' * 26}\n\nbody", "", f"{'word ' * 26}\n\nbody"),
        ("", "", ""),
    ],
)
def test_plain_text(content: str, headline: str, body: str) -> None:
    assert article_of(content, Path("a.txt")) == FileArticle(headline, body)


def test_markdown() -> None:
    article = article_of(MARKDOWN, Path("a.MD"))
    assert article.headline == "School *opens* in Kita"
    assert article.body == (
        "The mayor opened a school in Kita on Monday.\n\nWorks\n\nIt has 12 rooms.\n\nIt cost 3 < 4 million."
        "\n\nIt opens at 8."
    )
    assert article_of("# Head\n\nBody.", Path("a.md")) == FileArticle("Head", "Body.")
    assert article_of("Body.\n\n# Part", Path("a.md")) == FileArticle("", "Body.\n\nPart")


@pytest.mark.parametrize("name", ["a.html", "-", "page.txt"])
def test_html(name: str) -> None:
    article = article_of(PAGE, Path(name))
    assert article.headline == "Une école ouvre à Kita"
    assert article.body.split("\n\n") == [
        "Le maire de Kita a ouvert une nouvelle école lundi matin, devant des centaines d'habitants & d'élèves.",
        "Les travaux ont duré deux ans et ont coûté 14 millions de francs, selon la mairie de la ville.",
    ]


def test_a_page_without_an_article() -> None:
    with pytest.raises(InputError, match="page: has no article"):
        article_of("<html><body></body></html>", Path("page"))
