"""Editions by the embedded model, through the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kunnafoni.checks.generated_summary import blocking_findings
from kunnafoni.client import Client
from kunnafoni.errors import InvalidInputError
from kunnafoni.v1.summarization_pb2 import SUMMARY_METHOD_EXTRACTIVE, SUMMARY_METHOD_GENERATED
from tests.service.rpc.articles import BODIES, HEADLINES, check_key_points, check_warnings

if TYPE_CHECKING:
    from kunnafoni.cli.local_server import LocalServer
    from kunnafoni.v1.summarization_pb2 import Edition, SummarizeResponse

LANGUAGES = ("en", "fr", "bm")


def texts(answer: SummarizeResponse) -> list[tuple[str, ...]]:
    return [(e.headline, e.summary, *(point.text for point in e.key_points)) for e in answer.editions]


def warned(edition: Edition) -> bool:
    return bool(edition.warnings)


@pytest.mark.parametrize("source", LANGUAGES)
def test_three_editions(embedded: LocalServer, source: str) -> None:
    body, headline = BODIES[source], HEADLINES[source]
    with Client(embedded.address) as client:
        answer = client.summarize(body, targets=LANGUAGES, headline=headline, length="short")
        again = client.summarize(body, targets=LANGUAGES, headline=headline, length="short", source=source)
        alone = client.summarize(body, targets=("bm",), headline=headline, length="short")
    assert answer.source_language_code == source
    assert [edition.language_code for edition in answer.editions] == list(LANGUAGES)
    assert texts(again) == texts(answer)
    assert texts(alone) == [texts(answer)[2]]
    for edition in answer.editions:
        check_key_points(edition, body)
        check_warnings(edition)
        assert len(edition.key_points) == 3
        if edition.language_code == source:
            assert edition.headline == headline
            assert not blocking_findings(edition.summary, f"{headline}\n\n{body}", language=source) or warned(edition)
        elif edition.summary_method == SUMMARY_METHOD_GENERATED:
            assert edition.route[-1].target_language_code == edition.language_code


def test_a_stream_gives_the_same(embedded: LocalServer) -> None:
    with Client(embedded.address) as client:
        whole = client.summarize(BODIES["en"], targets=("en", "fr"), max_words=40, key_points=1)
        parts = list(client.summarize_stream(BODIES["en"], targets=("en", "fr"), max_words=40, key_points=1))
    assert [(part.edition.headline, part.edition.summary) for part in parts] == [
        (edition.headline, edition.summary) for edition in whole.editions
    ]
    assert len(whole.editions[0].summary.split()) <= 40


def test_an_edition_says_why_it_has_the_articles_own_sentences(embedded: LocalServer) -> None:
    with Client(embedded.address) as client:
        [edition] = client.summarize(BODIES["en"], targets=("en",), length="short", source="en").editions
    assert edition.summary_method == SUMMARY_METHOD_EXTRACTIVE
    assert any("measured better" in warning.detail for warning in edition.warnings)


def test_the_client_raises_the_errors_of_the_tree(embedded: LocalServer) -> None:
    with Client(embedded.address) as client:
        with pytest.raises(InvalidInputError) as caught:
            client.summarize("Some text.", targets=())
        assert [violation.field for violation in caught.value.violations] == ["target_language_codes"]
        with pytest.raises(ValueError, match="HUGE"):
            client.summarize("Some text.", targets=("en",), length="huge")
