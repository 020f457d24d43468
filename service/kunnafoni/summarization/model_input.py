"""What a model reads of an article: its beginning, translated first if the model does not know the article's language.

News tells the main thing first, and a small model that reads more loses the thread. It knows no summaries.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kunnafoni.checks.finding import FindingType
from kunnafoni.summarization.article_analysis import on_one_line
from kunnafoni.summarization.edition_findings import Mark
from kunnafoni.summarization.passages import translated
from kunnafoni.text.segments import Segment, SegmentKind
from kunnafoni.text.subsegments import cut
from kunnafoni.translation.sentences import Usage
from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.summarization.article_analysis import Draft
    from kunnafoni.translation.model_pool import ModelPool
    from kunnafoni.translation.routes import Hop
    from kunnafoni.translation.translator import Translator

READ_TOKENS = 200
"""ROUGE-L of the embedded model on 100 documents of OrangeSum dev, beam 4: 450 tokens read 18.9, 250 19.4, 200 19.7.

Reading on was tried on 96 of these on 2026-11-25: up to three further parts of 200 tokens as the asked length has room
for them, the best ranked first, what the model writes of each checked and joined in the order of the article. ROUGE-L
changes by -0.3, +0.3 and +0.1 for 30, 70 and 150 words (95 % intervals within -1.2 and +1.0) for 1.2, 1.9 and 2.6 parts
a summary. So nothing but the beginning is read, and what the model leaves free is filled from the ranking, which knows
the whole article.
"""
SMALL_WINDOW_TOKENS = 1024
"""A model made for longer texts than this reads this much."""
_PIVOT_ROOM = 1.5  # Bambara takes up to half as many tokens again as its French translation
_UNREADABLE = {FindingType.REPETITION, FindingType.UNTRANSLATED, Mark.OUTPUT_CAP}


@dataclass(frozen=True, slots=True)
class Reading:
    """What is put to a model.

    Attributes:
        language: Of the sentences.
        sentences: In the order of the article; joined with spaces the model takes them.
        article: All that a summary may tell, in that language.
        beside: Sentences that may fill a summary up, in that language.
        coverage: Share of the article's sentences that are read, 0 to 1.
        route: How they came into that language; empty if they are the article's own.
    """

    language: str
    sentences: tuple[str, ...]
    article: str
    beside: tuple[str, ...]
    coverage: float
    route: tuple[Hop, ...] = ()
    usage: Usage = field(default_factory=Usage)


class Reader:
    """Chooses and translates what is read."""

    def __init__(self, model_pool: ModelPool, translator: Translator) -> None:
        self._model_pool = model_pool
        self._translator = translator

    async def read(self, draft: Draft, hop: Hop, *, context: RequestContext) -> Reading:
        """What the model of `hop` reads of `draft`; no sentences if not even a part of the first one fits.

        Raises:
            KunnafoniError: an engine refused or dropped the work.
        """
        texts, language = draft.texts, hop.source
        if language == draft.language:
            read = await asyncio.to_thread(self._lead, texts, hop)
            return Reading(language, tuple(read), draft.everything, tuple(texts), _coverage(draft, set(read)))
        chosen = await asyncio.to_thread(self._lead, texts, hop, _PIVOT_ROOM)
        readable: dict[str, str] = {}
        usage = Usage()
        async with self._translator.begin(
            chosen, source=draft.language, target=language, decoding=Decoding(), context=context
        ) as pending:
            for source, each in zip(chosen, pending, strict=True):
                passage = await translated(each, language)
                usage += each.usage
                if not any(remark.kind in _UNREADABLE for remark in passage.remarks):
                    readable[source] = on_one_line(passage.text)
            route = pending[0].route if pending else ()
        read = await asyncio.to_thread(self._lead, list(readable.values()), hop)
        whole = {source for source, text in readable.items() if text in read}
        return Reading(
            language,
            tuple(read),
            " ".join(read),
            tuple(read),
            _coverage(draft, whole),
            route,
            usage,
        )

    def _lead(self, texts: Sequence[str], hop: Hop, room: float = 1.0) -> list[str]:
        limit = self._model_pool.entries[hop.model_id].limits.summarize_input_tokens
        max_tokens = min(limit, READ_TOKENS) if limit <= SMALL_WINDOW_TOKENS else SMALL_WINDOW_TOKENS
        count = self._model_pool.engine(hop.model_id).backend.count_tokens
        return lead(texts, lambda text: count(text) <= room * max_tokens)


def lead(texts: Sequence[str], fits: Callable[[str], bool]) -> list[str]:
    """The first of `texts` that fit together, joined with spaces; if the first alone does not, what fits of it."""
    taken: list[str] = []
    for text in texts:
        if not fits(" ".join((*taken, text))):
            break
        taken.append(text)
    if texts and not taken:
        pieces = cut(Segment(texts[0], 0, len(texts[0]), SegmentKind.TEXT), fits)
        return [pieces[0].text] if fits(pieces[0].text) else []
    return taken


def _coverage(draft: Draft, read: set[str]) -> float:
    return sum(on_one_line(sentence.text) in read for sentence in draft.sentences) / len(draft.sentences)
