"""The edition of an article in one language: its headline, summary and key points, translated where they have to be."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kunnafoni.languages import UNDETERMINED
from kunnafoni.summarization.article_analysis import made_headline, on_one_line
from kunnafoni.summarization.edition_findings import Mark, Remark, in_another_language, in_order, not_in_article
from kunnafoni.summarization.passages import Passage, translated
from kunnafoni.summarization.summaries import Method
from kunnafoni.text.spans import Span
from kunnafoni.translation.sentences import Usage
from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.summarization.article_analysis import Draft
    from kunnafoni.summarization.summaries import Summary
    from kunnafoni.translation.contents import PendingTranslation
    from kunnafoni.translation.routes import Hop
    from kunnafoni.translation.translator import Translator

_SUMMARY = 1  # its place among the passages


@dataclass(frozen=True, slots=True)
class KeyPoint:
    """A sentence of the article that matters.

    Attributes:
        source_text: The sentence, verbatim.
        span: Where it lies in the body.
        passage: The sentence in the language of the edition.
    """

    source_text: str
    span: Span
    passage: Passage


@dataclass(frozen=True, slots=True)
class Edition:
    """An article in one language, in brief.

    Attributes:
        route: The models that the summary went through, first to last.
    """

    language: str
    headline: Passage
    summary: Passage
    key_points: tuple[KeyPoint, ...]
    method: Method
    coverage: float
    route: tuple[Hop, ...]
    usage: Usage

    @property
    def machine_generated(self) -> bool:
        """Whether a model wrote any of it."""
        passages = (self.headline, self.summary, *(point.passage for point in self.key_points))
        return any(passage.machine_generated for passage in passages)


class EditionMaker:
    """Makes editions of one article out of one summary of it."""

    def __init__(self, translator: Translator, draft: Draft, summary: Summary, *, context: RequestContext) -> None:
        self._translator = translator
        self._draft = draft
        self._summary = summary
        self._context = context

    async def make(self, language: str) -> Edition:
        """The edition in `language`; `usage` does not count the summary itself.

        Raises:
            KunnafoniError: an engine refused or dropped the work.
        """
        draft, summary = self._draft, self._summary
        points = [draft.sentences[place] for place in draft.key_points]
        originals = [
            _headline(draft, summary),
            Passage(summary.text, summary.language, summary.remarks, machine_generated=bool(summary.route)),
            *(Passage(point.text, draft.language) for point in points),
        ]
        passages, route, usage = await self._all_in(language, originals)
        headline, text, *told = await asyncio.to_thread(self._all_checked, originals, passages)
        return Edition(
            language,
            headline,
            text,
            tuple(
                KeyPoint(point.text, Span(point.start, point.end), passage)
                for point, passage in zip(points, told, strict=True)
            ),
            summary.method,
            summary.coverage,
            (*summary.route, *route),
            usage,
        )

    async def _all_in(self, target: str, originals: list[Passage]) -> tuple[list[Passage], tuple[Hop, ...], Usage]:
        """`originals` in `target`, the models that the second of them went through, and what it cost."""
        passages, route, usage = list(originals), (), Usage()
        async with AsyncExitStack() as stack:
            begun: list[tuple[int, PendingTranslation]] = []
            for source in sorted({each.language for each in originals} - {target}):
                places = [place for place, each in enumerate(originals) if each.language == source]
                pending = await stack.enter_async_context(
                    self._translator.begin(
                        [originals[place].text for place in places],
                        source=source,
                        target=target,
                        decoding=Decoding(),
                        context=self._context,
                    )
                )
                begun += zip(places, pending, strict=True)
            for place, each in begun:
                passage = await translated(each, target)
                usage += each.usage
                passages[place] = replace(passage, remarks=(*originals[place].remarks, *passage.remarks))
                if place == _SUMMARY:
                    route = each.route
        return passages, route, usage

    def _all_checked(self, originals: list[Passage], passages: list[Passage]) -> list[Passage]:
        """`passages` with all that is to be said of them: headline, summary, then key points; blocking."""
        made = [self._looked_up(*pair) for pair in zip(originals[:2], passages[:2], strict=True)]
        return [
            replace(passage, remarks=in_order((*passage.remarks, *in_another_language(passage.text, passage.language))))
            for passage in (*made, *passages[2:])
        ]

    def _looked_up(self, original: Passage, passage: Passage) -> Passage:
        """`passage` with what it tells and the article does not; blocking.

        In the article's own language that was done when the summary was made.
        """
        draft = self._draft
        remarks = [_quoting(remark, original.text) for remark in passage.remarks]
        known = original.language == passage.language == draft.language
        if not known and draft.language != UNDETERMINED:
            remarks += not_in_article(
                passage.text, draft.everything, language=passage.language, article_language=draft.language
            )
        return replace(passage, remarks=tuple(remarks))


def _quoting(remark: Remark, source: str) -> Remark:
    """`remark` with what the translation lacks in words: a place in `source` helps nobody who has not seen that."""
    span = remark.source_span
    lacking = on_one_line(source[span.start : span.end]) if span and not remark.span else ""
    return replace(remark, source_span=None, source_words=lacking)


def _headline(draft: Draft, summary: Summary) -> Passage:
    """The article's own headline, else the beginning of its summary."""
    if draft.headline:
        return Passage(draft.headline, draft.language)
    text = made_headline(summary.opening, summary.language)
    if summary.method is Method.GENERATED:
        return Passage(text, summary.language, machine_generated=True)
    mark = Remark(Mark.EXTRACTIVE, "made from a sentence of the article")
    return Passage(text, summary.language, (mark,))
