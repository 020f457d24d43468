"""Writes one summary of an article, in the article's language, or in a pivot language if no model summarises in it.

A model reads the beginning and writes one or two sentences; the best sentences of the article fill them up to the
length asked for. The output of the model is used only if it passes all checks: every fact is in the article, nothing is
repeated, the language is right and the last sentence is complete. If it does not pass, another decoding is tried; if
that does not pass either, the article's best sentences are the summary, with a finding that says so. This module does
not know editions or requests.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from kunnafoni.checks.faithfulness import UnsupportedFactType
from kunnafoni.checks.finding import FindingType
from kunnafoni.checks.generated_summary import blocking_findings, finished
from kunnafoni.checks.names.forms import folded
from kunnafoni.engine.engine import Engine
from kunnafoni.summarization.article_analysis import best_extract, clipped, on_one_line
from kunnafoni.summarization.edition_findings import EditionFinding, EditionFindingType, not_in_article
from kunnafoni.summarization.ranking import MAX_SENTENCES, extract
from kunnafoni.text.sentences import sentence_ends
from kunnafoni.translation.sentences import Usage
from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.summarization.article_analysis import AnalysedArticle, Length
    from kunnafoni.summarization.model_input import ModelInput, ModelInputMaker
    from kunnafoni.translation.model_pool import ModelPool
    from kunnafoni.translation.routes import Hop
    from kunnafoni_models.backend import Prompt

DECODINGS = (Decoding(beam_size=4), Decoding())
"""The decoding of a summary, and the fallback decoding if the first output does not pass the checks.

ROUGE-L of the embedded model on 100 documents of OrangeSum dev with 200 tokens of input: 19.7 with beam 4, 18.7 with
greedy decoding. 22 summaries of beam 4 did not pass. Greedy decoding repaired 15 of them, a repetition penalty of 1.2
or a ban on repeated trigrams 8 to 12, 250 tokens of input 9 to 12. Those 15 have a ROUGE-L of 18.4; the article's best
sentences in place of all 22 have 16.5.
"""
_FULL_SHARE = 0.8  # a generated text with this share of the words asked for is not filled up
_COVERED_SHARE = 0.5  # a sentence is covered by a text that has this share of its long words
_REPEATED_SHARE = 0.7  # a sentence of the article that has this share of a generated sentence's long words repeats it
_LONG_WORD_LENGTH = 4


class Method(StrEnum):
    """How a summary was made; see `summarization.proto`."""

    GENERATED = "GENERATED"
    EXTRACTIVE = "EXTRACTIVE"
    TOO_SHORT = "TOO_SHORT"


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary before it is translated.

    Attributes:
        text: The summary.
        opening: Its first sentences, not shortened; a headline can be made from them.
        language: The article's language, or the pivot language.
        method: How it was made.
        coverage: Share of the article's sentences that were read for it, 0 to 1.
        findings: What looks wrong in it, or tells how it was made.
        route: The models from the article to the summary; empty if all of it is the article's own words.
        usage: What it cost.
    """

    text: str
    opening: str
    language: str
    method: Method
    coverage: float = 1.0
    findings: tuple[EditionFinding, ...] = ()
    route: tuple[Hop, ...] = ()
    usage: Usage = field(default_factory=Usage)


class SummaryWriter:
    """Writes summaries with the models that are ready."""

    def __init__(self, model_pool: ModelPool, input_maker: ModelInputMaker, *, max_sequence_tokens: int) -> None:
        """Connect it; `max_sequence_tokens` is the highest `Engine.token_cost` that an engine accepts."""
        self._model_pool = model_pool
        self._input_maker = input_maker
        self._max_sequence_tokens = max_sequence_tokens

    async def write(
        self, article: AnalysedArticle, length: Length, *, hop: Hop | None, context: RequestContext
    ) -> Summary:
        """Summarise `article` with the model of `hop`; None means to use the article's own sentences.

        Raises:
            KunnafoniError: an engine refused or dropped the work.
        """
        if article.too_short(length):
            finding = EditionFinding(EditionFindingType.TOO_SHORT, "too short to be summarised: the article itself")
            return Summary(article.whole(), article.whole(), article.language, Method.TOO_SHORT, findings=(finding,))
        if hop is None:
            better = self._model_pool.extracts_better(article.language)
            why = "they measured better than what models write" if better else "no model summarises this language"
            return await asyncio.to_thread(extractive, article, length, why=why)
        engine = self._model_pool.engine(hop.model_id)
        model_input = await self._input_maker.make(article, hop, context=context)
        runs: list[Usage] = []
        if model_input.sentences:
            prompt = await asyncio.to_thread(
                engine.backend.summary_prompt, " ".join(model_input.sentences), language=hop.source
            )
            for decoding in self._decodings(prompt):
                text, cost = await _generate(engine, prompt, decoding, context=context)
                runs.append(cost)
                if text and (summary := await asyncio.to_thread(_accepted, text, article, length, model_input)):
                    usage = model_input.usage + Usage.of_one_segment(runs)
                    return replace(summary, route=(*model_input.route, hop), usage=usage)
        summary = await asyncio.to_thread(extractive, article, length, why="what the model wrote did not hold or fit")
        return replace(summary, usage=model_input.usage + Usage.of_one_segment(runs))

    def _decodings(self, prompt: Prompt) -> list[Decoding]:
        """The decodings to try, with fewer beams if the engine would not admit a prompt so heavy."""
        max_beams = max(1, self._max_sequence_tokens // Engine.token_cost(prompt, Decoding()))
        admitted = (replace(decoding, beam_size=min(decoding.beam_size, max_beams)) for decoding in DECODINGS)
        return list(dict.fromkeys(admitted))


async def _generate(
    engine: Engine, prompt: Prompt, decoding: Decoding, *, context: RequestContext
) -> tuple[str, Usage]:
    """Run the model; return its output, empty if it reached the output cap, and the usage."""
    engine.admit(engine.token_cost(prompt, decoding), context=context)
    answer = await engine.submit(prompt, decoding, context=context)
    usage = Usage(
        input_tokens=len(prompt.tokens),
        output_tokens=answer.output.tokens,
        queue_ms=answer.queue_ms,
        inference_ms=answer.inference_ms,
        cached_segments=int(answer.cached),
    )
    return "" if answer.output.reached_cap else answer.output.text, usage


def _accepted(written: str, article: AnalysedArticle, length: Length, model_input: ModelInput) -> Summary | None:
    """Make a summary from the output of a model; None if that does not pass the checks."""
    language = model_input.language
    text = _within(on_one_line(finished(written, language)), length.max_words, language)
    if not text or blocking_findings(text, model_input.article, language=language):
        return None
    findings: list[EditionFinding] = []
    if language != article.language:
        found = not_in_article(text, article.full_text, language=language, article_language=article.language)
        if any(finding.type is not UnsupportedFactType.UNSUPPORTED_QUOTATION for finding in found):
            return None  # translation adds and removes quotation marks, so a missing quotation alone is no reason
        findings.append(EditionFinding(FindingType.PIVOTED, f"summarised by way of {language}"))
    if model_input.coverage < 1:
        findings.append(_partial(model_input.coverage, article))
    return Summary(
        _filled(text, model_input.fill_sentences, length, language),
        text,
        language,
        Method.GENERATED,
        model_input.coverage,
        tuple(findings),
    )


def _within(text: str, max_words: int, language: str) -> str:
    """Cut `text` after the last sentence that ends within `max_words` words; empty if the first one is longer."""
    ends = [end for end in sentence_ends(text, language) if len(text[:end].split()) <= max_words] if text else []
    return text[: ends[-1]].rstrip() if ends else ""


def _filled(text: str, fill_sentences: tuple[str, ...], length: Length, language: str) -> str:
    """Append the best of `fill_sentences` that `text` does not cover, while that brings it closer to `target_words`."""
    words = len(text.split())
    if words >= _FULL_SHARE * length.target_words:
        return text
    text_words = _long_words(text)
    generated = [_long_words(text[start:end]) for start, end in pairwise([0, *sentence_ends(text, language)])]

    def is_new(sentence: str) -> bool:
        own_words = _long_words(sentence)
        repeats = any(len(own_words & other) >= _REPEATED_SHARE * len(other) for other in generated if other)
        return not repeats and len(own_words & text_words) < _COVERED_SHARE * len(own_words)

    new = list(filter(is_new, fill_sentences))
    missing = length.target_words - words
    places = extract(new, missing, max_words=min(length.max_words - words, 2 * missing - 1), existing=text)
    return " ".join((text, *(new[place] for place in places)))


def _long_words(text: str) -> set[str]:
    return {folded(word) for word in text.split() if len(word) >= _LONG_WORD_LENGTH}


def extractive(article: AnalysedArticle, length: Length, *, why: str) -> Summary:
    """Make a summary of the article's own best sentences; `why` goes into its finding; blocking."""
    texts = article.texts
    opening = " ".join(best_extract(texts, length))
    text = clipped(opening, length.max_words)
    findings = [EditionFinding(EditionFindingType.EXTRACTIVE, f"sentences of the article: {why}")]
    if text != opening:
        findings.append(
            EditionFinding(
                EditionFindingType.OUTPUT_CAP, f"no sentence has {length.max_words} words or fewer: its end is missing"
            )
        )
    coverage = min(1.0, MAX_SENTENCES / len(texts))
    if coverage < 1:
        findings.append(_partial(coverage, article))
    return Summary(text, opening, article.language, Method.EXTRACTIVE, coverage, tuple(findings))


def _partial(coverage: float, article: AnalysedArticle) -> EditionFinding:
    total = len(article.sentences)
    return EditionFinding(
        EditionFindingType.PARTIAL_COVERAGE, f"{round(coverage * total)} of {total} sentences were read for it"
    )
