"""A sentence by way of a third language: two sentence translators, one after the other.

It knows nothing of contents, spans of contents or requests.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kunnafoni.checks.finding import Finding, FindingType
from kunnafoni.checks.registry import check
from kunnafoni.translation.direct import RETRIED_FINDINGS
from kunnafoni.translation.sentences import FinishReason, SentenceTranslation, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.translation.routes import Hop
    from kunnafoni.translation.sentences import SentenceTranslator, TokenizedSentence
    from kunnafoni_models.backend import Decoding


class PivotTranslator:
    """A sentence through two models, or twice through one.

    Args:
        first, second: Translate into the third language and out of it.
        route: Their hops.
        mark_pivoted: Whether sentences get a finding `PIVOTED`: where no direct model could be had.
    """

    def __init__(
        self, first: SentenceTranslator, second: SentenceTranslator, *, route: Sequence[Hop], mark_pivoted: bool
    ) -> None:
        self._first = first
        self._second = second
        self._mark_pivoted = mark_pivoted
        self._source, self._pivot, self._target = route[0].source, route[0].target, route[-1].target

    def tokenize(self, sentence: str) -> TokenizedSentence:
        """See SentenceTranslator."""
        return self._first.tokenize(sentence)

    async def translate(
        self, sentence: TokenizedSentence, *, decoding: Decoding, context: RequestContext
    ) -> SentenceTranslation:
        """See SentenceTranslator; what is checked is the last text against the first."""
        pivot = await self._first.translate(sentence, decoding=decoding, context=context)
        hops = [pivot]
        if pivot.text.strip():  # a model asked to translate nothing invents something
            tokenized = await context.run_and_yield(lambda: self._second.tokenize(pivot.text))
            hops.append(await self._second.translate(tokenized, decoding=decoding, context=context))
        text, last_findings = (hops[1].text, hops[1].findings) if len(hops) > 1 else ("", ())
        findings = await context.run_and_yield(
            lambda: check(sentence.sentence, text, source_language=self._source, target_language=self._target)
        )
        # Words left in the third language are seen only beside the text in it.
        found = {finding.type for finding in findings}
        findings += [
            replace(finding, source_span=None)
            for finding in last_findings
            if finding.type in RETRIED_FINDINGS and finding.type not in found
        ]
        if self._mark_pivoted:
            findings.append(Finding(FindingType.PIVOTED, detail=f"translated by way of {self._pivot}"))
        capped = any(hop.finish_reason is FinishReason.LENGTH for hop in hops)
        return SentenceTranslation(
            text=text,
            finish_reason=FinishReason.LENGTH if capped else FinishReason.STOP,
            findings=tuple(findings),
            usage=Usage.of_one_segment(hop.usage for hop in hops),
        )
