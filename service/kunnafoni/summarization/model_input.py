"""Chooses what a model reads of an article: its beginning, translated if the model does not know its language.

News says the most important things first, and the summaries of a small model get worse if it reads more. This module
does not know summaries.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kunnafoni.checks.finding import FindingType
from kunnafoni.summarization.article_analysis import on_one_line
from kunnafoni.summarization.edition_findings import EditionFindingType
from kunnafoni.summarization.edition_text import translated_text
from kunnafoni.text.segments import Segment, SegmentKind
from kunnafoni.text.subsegments import subsegments
from kunnafoni.translation.sentences import Usage
from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.summarization.article_analysis import AnalysedArticle
    from kunnafoni.translation.model_pool import ModelPool
    from kunnafoni.translation.routes import Hop
    from kunnafoni.translation.translator import Translator

INPUT_TOKENS = 200
"""ROUGE-L of the embedded model on 100 documents of OrangeSum dev, beam 4: 18.9 with 450 tokens of input, 19.4 with
250, 19.7 with 200.

More input was tried on 96 of these documents on 2026-11-25: up to three more parts of 200 tokens, depending on the
length asked for, best ranked first; each output was checked, and the outputs were joined in the order of the article.
ROUGE-L changed by -0.3, +0.3 and +0.1 for 30, 70 and 150 words (95 % intervals within -1.2 and +1.0), with 1.2, 1.9 and
2.6 parts per summary. So the model reads only the beginning, and the best sentences of the whole article fill the
summary up.
"""
SMALL_WINDOW_TOKENS = 1024
"""A model with a larger input window than this reads this many tokens."""
_PIVOT_FACTOR = 1.5  # Bambara takes up to 1.5 times as many tokens as its French translation
_UNUSABLE = {FindingType.REPETITION, FindingType.UNTRANSLATED, EditionFindingType.OUTPUT_CAP}


@dataclass(frozen=True, slots=True)
class ModelInput:
    """The input of a model that summarises.

    Attributes:
        language: Language of the sentences.
        sentences: In the order of the article; joined with spaces they fit the model.
        article: The text that a summary may take its facts from, in that language.
        fill_sentences: Sentences that may fill up a summary that is too short, in that language.
        coverage: Share of the article's sentences that the model reads, 0 to 1.
        route: The models that translated them to that language; empty if they are the article's own.
        usage: What their translation cost.
    """

    language: str
    sentences: tuple[str, ...]
    article: str
    fill_sentences: tuple[str, ...]
    coverage: float
    route: tuple[Hop, ...] = ()
    usage: Usage = field(default_factory=Usage)


class ModelInputMaker:
    """Chooses and translates the input of models."""

    def __init__(self, model_pool: ModelPool, translator: Translator) -> None:
        self._model_pool = model_pool
        self._translator = translator

    async def make(self, article: AnalysedArticle, hop: Hop, *, context: RequestContext) -> ModelInput:
        """Make the input of the model of `hop`; it has no sentences if not even a part of the first one fits.

        Raises:
            KunnafoniError: an engine refused or dropped the work.
        """
        texts, language = article.texts, hop.source
        if language == article.language:
            sentences = await asyncio.to_thread(self._lead, texts, hop)
            coverage = _coverage(article, set(sentences))
            return ModelInput(language, tuple(sentences), article.full_text, tuple(texts), coverage)
        chosen = await asyncio.to_thread(self._lead, texts, hop, _PIVOT_FACTOR)
        translations: dict[str, str] = {}
        usage = Usage()
        async with self._translator.begin(
            chosen, source=article.language, target=language, decoding=Decoding(), context=context
        ) as pending_texts:
            for source, pending in zip(chosen, pending_texts, strict=True):
                text = await translated_text(pending, language)
                usage += pending.usage
                if not any(finding.type in _UNUSABLE for finding in text.findings):
                    translations[source] = on_one_line(text.text)
            route = pending_texts[0].route if pending_texts else ()
        sentences = await asyncio.to_thread(self._lead, list(translations.values()), hop)
        whole = {source for source, text in translations.items() if text in sentences}
        return ModelInput(
            language,
            tuple(sentences),
            " ".join(sentences),
            tuple(sentences),
            _coverage(article, whole),
            route,
            usage,
        )

    def _lead(self, texts: Sequence[str], hop: Hop, factor: float = 1.0) -> list[str]:
        limit = self._model_pool.entries[hop.model_id].limits.summarize_input_tokens
        max_tokens = min(limit, INPUT_TOKENS) if limit <= SMALL_WINDOW_TOKENS else SMALL_WINDOW_TOKENS
        count = self._model_pool.engine(hop.model_id).backend.count_tokens
        return lead(texts, lambda text: count(text) <= factor * max_tokens)


def lead(texts: Sequence[str], fits: Callable[[str], bool]) -> list[str]:
    """Take texts from the beginning while they fit, joined with spaces; if the first does not, its part that fits."""
    taken: list[str] = []
    for text in texts:
        if not fits(" ".join((*taken, text))):
            break
        taken.append(text)
    if texts and not taken:
        pieces = subsegments(Segment(texts[0], 0, len(texts[0]), SegmentKind.TEXT), fits)
        return [pieces[0].text] if fits(pieces[0].text) else []
    return taken


def _coverage(article: AnalysedArticle, chosen: set[str]) -> float:
    return sum(on_one_line(sentence.text) in chosen for sentence in article.sentences) / len(article.sentences)
