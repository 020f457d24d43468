"""The edition of an article in one language: its headline, summary and key points, translated where they have to be."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kunnafoni.languages import UNDETERMINED
from kunnafoni.summarization.article_analysis import made_headline, on_one_line
from kunnafoni.summarization.edition_findings import (
    EditionFinding,
    EditionFindingType,
    in_another_language,
    not_in_article,
    worst_first,
)
from kunnafoni.summarization.edition_text import EditionText, translated_text
from kunnafoni.summarization.summaries import Method
from kunnafoni.text.spans import Span
from kunnafoni.translation.sentences import Usage
from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.summarization.article_analysis import AnalysedArticle
    from kunnafoni.summarization.summaries import Summary
    from kunnafoni.translation.contents import PendingTranslation
    from kunnafoni.translation.routes import Hop
    from kunnafoni.translation.translator import Translator

_SUMMARY = 1  # the index of the summary among the texts of an edition: headline, summary, key points


@dataclass(frozen=True, slots=True)
class KeyPoint:
    """One of the most important sentences of the article.

    Attributes:
        source_text: The sentence, verbatim.
        span: Where it lies in the body.
        edition_text: The sentence in the language of the edition.
    """

    source_text: str
    span: Span
    edition_text: EditionText


@dataclass(frozen=True, slots=True)
class Edition:
    """Headline, summary and key points of an article in one language.

    Attributes:
        language: `en`, `fr` or `bm`.
        headline: The article's own, or one made from the summary.
        summary: Of the length asked for, or the whole article if that is shorter.
        key_points: In the order of the article.
        method: How the summary was made.
        coverage: Share of the article's sentences that were read for the summary, 0 to 1.
        route: The models that the summary went through, first to last.
        usage: What the edition cost.
    """

    language: str
    headline: EditionText
    summary: EditionText
    key_points: tuple[KeyPoint, ...]
    method: Method
    coverage: float
    route: tuple[Hop, ...]
    usage: Usage

    @property
    def machine_generated(self) -> bool:
        """Whether a model wrote any of it."""
        texts = (self.headline, self.summary, *(point.edition_text for point in self.key_points))
        return any(text.machine_generated for text in texts)


class EditionMaker:
    """Makes editions of one article from one summary of it."""

    def __init__(
        self, translator: Translator, article: AnalysedArticle, summary: Summary, *, context: RequestContext
    ) -> None:
        self._translator = translator
        self._article = article
        self._summary = summary
        self._context = context

    async def make(self, language: str) -> Edition:
        """The edition in `language`; `usage` does not count the summary itself.

        Raises:
            KunnafoniError: an engine refused or dropped the work.
        """
        article, summary = self._article, self._summary
        points = [article.sentences[place] for place in article.key_points]
        originals = [
            _headline(article, summary),
            EditionText(summary.text, summary.language, summary.findings, machine_generated=bool(summary.route)),
            *(EditionText(point.text, article.language) for point in points),
        ]
        translations, route, usage = await self._translate(originals, language)
        headline, summary_text, *point_texts = await asyncio.to_thread(self._with_findings, originals, translations)
        return Edition(
            language,
            headline,
            summary_text,
            tuple(
                KeyPoint(point.text, Span(point.start, point.end), text)
                for point, text in zip(points, point_texts, strict=True)
            ),
            summary.method,
            summary.coverage,
            (*summary.route, *route),
            usage,
        )

    async def _translate(
        self, originals: list[EditionText], target: str
    ) -> tuple[list[EditionText], tuple[Hop, ...], Usage]:
        """Translate `originals` to `target`; also return the models that the summary went through, and the usage.

        A text that is in `target` already stays as it is.
        """
        texts, route, usage = list(originals), (), Usage()
        async with AsyncExitStack() as stack:
            begun: list[tuple[int, PendingTranslation]] = []
            for source in sorted({original.language for original in originals} - {target}):
                places = [place for place, original in enumerate(originals) if original.language == source]
                translations = await stack.enter_async_context(
                    self._translator.begin(
                        [originals[place].text for place in places],
                        source=source,
                        target=target,
                        decoding=Decoding(),
                        context=self._context,
                    )
                )
                begun += zip(places, translations, strict=True)
            for place, pending in begun:
                text = await translated_text(pending, target)
                usage += pending.usage
                texts[place] = replace(text, findings=(*originals[place].findings, *text.findings))
                if place == _SUMMARY:
                    route = pending.route
        return texts, route, usage

    def _with_findings(self, originals: list[EditionText], texts: list[EditionText]) -> list[EditionText]:
        """Check `texts` (headline, summary, then key points) and return them with all findings; blocking."""
        made = [self._compared_with_article(*pair) for pair in zip(originals[:2], texts[:2], strict=True)]
        return [
            replace(text, findings=worst_first((*text.findings, *in_another_language(text.text, text.language))))
            for text in (*made, *texts[2:])
        ]

    def _compared_with_article(self, original: EditionText, text: EditionText) -> EditionText:
        """Add to `text` a finding for each fact that the article does not have; blocking.

        In the article's own language that was done when the summary was made.
        """
        article = self._article
        findings = [_quoting(finding, original.text) for finding in text.findings]
        already_compared = original.language == text.language == article.language
        if not already_compared and article.language != UNDETERMINED:
            findings += not_in_article(
                text.text, article.full_text, language=text.language, article_language=article.language
            )
        return replace(text, findings=tuple(findings))


def _quoting(finding: EditionFinding, source: str) -> EditionFinding:
    """Replace the span in `source` by its words: the reader of an edition has not seen `source`."""
    span = finding.source_span
    missing_words = on_one_line(source[span.start : span.end]) if span and not finding.span else ""
    return replace(finding, source_span=None, source_words=missing_words)


def _headline(article: AnalysedArticle, summary: Summary) -> EditionText:
    """The article's own headline, else the beginning of its summary."""
    if article.headline:
        return EditionText(article.headline, article.language)
    text = made_headline(summary.opening, summary.language)
    if summary.method is Method.GENERATED:
        return EditionText(text, summary.language, machine_generated=True)
    extracted = EditionFinding(EditionFindingType.EXTRACTIVE, "made from a sentence of the article")
    return EditionText(text, summary.language, (extracted,))
