"""One summary of an article, in the article's own language or, where no model summarises in that, in French.

A model reads the beginning and writes one or two sentences; the best sentences of the article fill them up to the
length asked for. What the model wrote goes out only if it holds: nothing in it that the article lacks, no loop, the
right language, a whole end. Else it is written once more with another decoding, and else the article's best sentences
stand in its place, marked. It knows no editions and no requests.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from kunnafoni.checks.faithfulness import FindingKind
from kunnafoni.checks.finding import FindingType
from kunnafoni.checks.names.forms import folded
from kunnafoni.checks.summary import failures, finished
from kunnafoni.engine.engine import Engine
from kunnafoni.summarization.article_analysis import best_extract, clipped, on_one_line
from kunnafoni.summarization.edition_findings import Mark, Remark, not_in_article
from kunnafoni.summarization.ranking import MAX_SENTENCES, extract
from kunnafoni.text.sentences import sentence_ends
from kunnafoni.translation.sentences import Usage
from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.summarization.article_analysis import Draft, Length
    from kunnafoni.summarization.model_input import Reader, Reading
    from kunnafoni.translation.model_pool import ModelPool
    from kunnafoni.translation.routes import Hop
    from kunnafoni_models.backend import Prompt

SEARCHES = (Decoding(beam_size=4), Decoding())
"""How a summary is searched for, and how once more if the first does not hold.

ROUGE-L of the embedded model on 100 documents of OrangeSum dev, 200 tokens read: beam 4 19.7, greedy 18.7. Of the 22
summaries of beam 4 that did not hold greedy search mended 15, a repetition penalty of 1.2 or a ban on repeated
trigrams 8 to 12, 250 tokens read 9 to 12; the 15 have 18.4, the article's best sentences in place of all 22 16.5.
"""
_FULL = 0.8  # share of the words asked for from which a generated text is not filled up
_TOLD = 0.5  # share of the long words of a sentence from which a text that has them tells it
_SAID_AGAIN = 0.7  # the same of a sentence of the text, in one of the article that says it again with more around it
_LONG_WORD_LENGTH = 4


class Method(StrEnum):
    """How a summary came about; see `summarization.proto`."""

    GENERATED = "GENERATED"
    EXTRACTIVE = "EXTRACTIVE"
    TOO_SHORT = "TOO_SHORT"


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary before it is translated.

    Attributes:
        opening: What a headline can be made of: its first sentences, uncut.
        language: The article's, or the one by way of which it was summarised.
        coverage: Share of the article's sentences that were read for it, 0 to 1.
        route: From the article to the summary; empty where all of it is the article's own words.
    """

    text: str
    opening: str
    language: str
    method: Method
    coverage: float = 1.0
    remarks: tuple[Remark, ...] = ()
    route: tuple[Hop, ...] = ()
    usage: Usage = field(default_factory=Usage)


class SummaryWriter:
    """Writes summaries with whatever models are ready."""

    def __init__(self, model_pool: ModelPool, reader: Reader, *, max_sequence_tokens: int) -> None:
        """Connect it; `max_sequence_tokens` is the highest `Engine.token_cost` that an engine accepts."""
        self._model_pool = model_pool
        self._reader = reader
        self._max_sequence_tokens = max_sequence_tokens

    async def write(self, draft: Draft, length: Length, *, hop: Hop | None, context: RequestContext) -> Summary:
        """Summarise; `hop` says with which model, None that the article's own sentences have to do.

        Raises:
            KunnafoniError: an engine refused or dropped the work.
        """
        if draft.too_short(length):
            mark = Remark(Mark.TOO_SHORT, "too short to be summarised: the article itself")
            return Summary(draft.whole(), draft.whole(), draft.language, Method.TOO_SHORT, remarks=(mark,))
        if hop is None:
            better = self._model_pool.extracts_better(draft.language)
            why = "they measured better than what models write" if better else "no model summarises this language"
            return await asyncio.to_thread(extractive, draft, length, why=why)
        engine = self._model_pool.engine(hop.model_id)
        reading = await self._reader.read(draft, hop, context=context)
        runs: list[Usage] = []
        if reading.sentences:
            prompt = await asyncio.to_thread(
                engine.backend.summary_prompt, " ".join(reading.sentences), language=hop.source
            )
            for decoding in self._decodings(prompt):
                text, cost = await _generate(engine, prompt, decoding, context=context)
                runs.append(cost)
                if text and (found := await asyncio.to_thread(_accepted, text, draft, length, reading)):
                    usage = reading.usage + Usage.of_one_segment(runs)
                    return replace(found, route=(*reading.route, hop), usage=usage)
        found = await asyncio.to_thread(extractive, draft, length, why="what the model wrote did not hold or fit")
        return replace(found, usage=reading.usage + Usage.of_one_segment(runs))

    def _decodings(self, prompt: Prompt) -> list[Decoding]:
        """The searches, narrower where the engine would not take a row so heavy."""
        widest = max(1, self._max_sequence_tokens // Engine.token_cost(prompt, Decoding()))
        narrowed = (replace(search, beam_size=min(search.beam_size, widest)) for search in SEARCHES)
        return list(dict.fromkeys(narrowed))


async def _generate(
    engine: Engine, prompt: Prompt, decoding: Decoding, *, context: RequestContext
) -> tuple[str, Usage]:
    """What the model wrote, empty if it reached its cap, and what it cost."""
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


def _accepted(written: str, draft: Draft, length: Length, reading: Reading) -> Summary | None:
    """A summary out of what a model wrote; None if that does not hold."""
    language = reading.language
    text = _within(on_one_line(finished(written, language)), length.most, language)
    if not text or failures(text, reading.article, language=language):
        return None
    remarks: list[Remark] = []
    if language != draft.language:
        found = not_in_article(text, draft.everything, language=language, article_language=draft.language)
        if any(remark.kind is not FindingKind.UNSUPPORTED_QUOTATION for remark in found):
            return None  # quotation marks come and go in translation: those are told, not refused
        remarks.append(Remark(FindingType.PIVOTED, f"summarised by way of {language}"))
    if reading.coverage < 1:
        remarks.append(_partial(reading.coverage, draft))
    return Summary(
        _filled(text, reading.beside, length, language),
        text,
        language,
        Method.GENERATED,
        reading.coverage,
        tuple(remarks),
    )


def _within(text: str, max_words: int, language: str) -> str:
    """As many whole sentences from the beginning of `text` as `max_words` allows; empty if that is none."""
    ends = [end for end in sentence_ends(text, language) if len(text[:end].split()) <= max_words] if text else []
    return text[: ends[-1]].rstrip() if ends else ""


def _filled(text: str, beside: tuple[str, ...], length: Length, language: str) -> str:
    """`text`, and after it the best of the article's sentences that it does not tell, while that nears `aim`."""
    words = len(text.split())
    if words >= _FULL * length.aim:
        return text
    known = _long_words(text)
    sentences = [_long_words(text[start:end]) for start, end in pairwise([0, *sentence_ends(text, language)])]

    def is_new(sentence: str) -> bool:
        found = _long_words(sentence)
        again = any(len(found & each) >= _SAID_AGAIN * len(each) for each in sentences if each)
        return not again and len(found & known) < _TOLD * len(found)

    new = list(filter(is_new, beside))
    missing = length.aim - words
    places = extract(new, missing, max_words=min(length.most - words, 2 * missing - 1), beside=text)
    return " ".join((text, *(new[place] for place in places)))


def _long_words(text: str) -> set[str]:
    return {folded(word) for word in text.split() if len(word) >= _LONG_WORD_LENGTH}


def extractive(draft: Draft, length: Length, *, why: str) -> Summary:
    """The article's own best sentences; blocking."""
    texts = draft.texts
    opening = " ".join(best_extract(texts, length))
    text = clipped(opening, length.most)
    remarks = [Remark(Mark.EXTRACTIVE, f"sentences of the article: {why}")]
    if text != opening:
        remarks.append(Remark(Mark.OUTPUT_CAP, f"no sentence has {length.most} words or fewer: its end is missing"))
    coverage = min(1.0, MAX_SENTENCES / len(texts))
    if coverage < 1:
        remarks.append(_partial(coverage, draft))
    return Summary(text, opening, draft.language, Method.EXTRACTIVE, coverage, tuple(remarks))


def _partial(coverage: float, draft: Draft) -> Remark:
    total = len(draft.sentences)
    return Remark(Mark.PARTIAL_COVERAGE, f"{round(coverage * total)} of {total} sentences were read for it")
