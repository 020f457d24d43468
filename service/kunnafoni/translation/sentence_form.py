"""A sentence in the form that models learnt, and its translation in the form of the source.

Around any other translator: what no language owns is masked, capitals become sentence case, Bambara its modern letters;
the way back restores all of it. A mask that does not come back is tried again as another token, then the sentence is
translated in the pieces around it. It knows no models.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from kunnafoni.checks.registry import check
from kunnafoni.text.letter_case import Truecased, truecase
from kunnafoni.text.masking import MASKS, MaskedSentence, blanked
from kunnafoni.text.orthography import modern_bambara
from kunnafoni.translation.sentences import FinishReason, SentenceTranslation, TokenizedSentence, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kunnafoni.engine.request_context import RequestContext
    from kunnafoni.translation.sentences import SentenceTranslator
    from kunnafoni_models.backend import Decoding

# What models write now and then though no source has it: mark-up of their training texts, bytes that are no character.
_NEVER_WRITTEN = re.compile("(?:<|&lt;)/?[a-zA-Z]{1,10}/?(?:>|&gt;)|\ufffd")


@dataclass(frozen=True, slots=True)
class SentenceForm:
    """How a sentence is read.

    Attributes:
        masked: Without what no language owns.
        truecased: That in sentence case; its text is what the inner translator gets.
    """

    masked: MaskedSentence
    truecased: Truecased

    @classmethod
    def of(cls, sentence: str, language: str, names: Mapping[str, str], *, attempt: int = 0) -> SentenceForm:
        """The form of `sentence`; `attempt` chooses the masks."""
        masked = MaskedSentence(sentence, attempt=attempt)
        text = modern_bambara(masked.text) if language == "bm" else masked.text
        return cls(masked, truecase(text, language, names))

    def restore(self, translation: str) -> str | None:
        """The translation in the form of the source; None if a mask is missing."""
        clean = _NEVER_WRITTEN.sub("", translation) if not _NEVER_WRITTEN.search(self.masked.text) else translation
        return self.masked.restore(self.truecased.restore(clean))


@dataclass(frozen=True, slots=True)
class FormedSentence(TokenizedSentence):
    """A tokenised sentence with its form."""

    form: SentenceForm


class FormTranslator:
    """Translates as `inner` does, from and to forms that models do not know.

    Args:
        inner: Along the same route.
        source, target: Languages of the route.
        names: See `truecase`.
    """

    def __init__(
        self, inner: SentenceTranslator, *, source: str, target: str, names: Mapping[str, str] | None = None
    ) -> None:
        self._inner = inner
        self._source = source
        self._target = target
        self._names = names or {}

    def tokenize(self, sentence: str) -> TokenizedSentence:
        """See SentenceTranslator."""
        if not MaskedSentence(sentence).has_language:
            return TokenizedSentence(sentence, ())
        return self._formed(sentence)

    def _formed(self, sentence: str, *, attempt: int = 0) -> FormedSentence:
        form = SentenceForm.of(sentence, self._source, self._names, attempt=attempt)
        return FormedSentence(sentence, self._inner.tokenize(form.truecased.text).pieces, form)

    async def translate(
        self, sentence: TokenizedSentence, *, decoding: Decoding, context: RequestContext
    ) -> SentenceTranslation:
        """See SentenceTranslator; what is checked is the restored text against the sentence."""
        if not isinstance(sentence, FormedSentence):
            return SentenceTranslation.copied(sentence.sentence)
        formed, runs = sentence, list[SentenceTranslation]()
        for attempt in range(len(MASKS)):
            if attempt:
                formed = await context.run_and_yield(partial(self._formed, sentence.sentence, attempt=attempt))
            inner = TokenizedSentence(formed.form.truecased.text, formed.pieces)
            runs.append(await self._inner.translate(inner, decoding=decoding, context=context))
            restored = formed.form.restore(runs[-1].text)
            if restored is not None:
                break
        else:
            return await self._around_words(formed, runs, decoding=decoding, context=context)
        usage = Usage.of_one_segment(run.usage for run in runs)
        if not formed.form.masked.is_changed:
            return replace(runs[-1], text=restored, usage=usage)
        return await self._checked(formed, restored, runs[-1].finish_reason, usage, context=context)

    async def _around_words(
        self,
        sentence: FormedSentence,
        runs: list[SentenceTranslation],
        *,
        decoding: Decoding,
        context: RequestContext,
    ) -> SentenceTranslation:
        """Translate what stands between the words that no language owns, and put these back between."""
        parts = sentence.form.masked.around_words()
        tokenized = await context.run_and_yield(lambda: [self.tokenize(text) for text, is_word in parts if not is_word])
        translations = iter(
            await asyncio.gather(*(self.translate(part, decoding=decoding, context=context) for part in tokenized))
        )
        done = [SentenceTranslation.copied(text) if is_word else next(translations) for text, is_word in parts]
        capped = any(part.finish_reason is FinishReason.LENGTH for part in done)
        usage = Usage.of_one_segment(
            run.usage for run in (*runs, *done) if run.finish_reason is not FinishReason.COPIED
        )
        reason = FinishReason.LENGTH if capped else FinishReason.STOP
        return await self._checked(sentence, "".join(part.text for part in done), reason, usage, context=context)

    async def _checked(
        self, sentence: FormedSentence, text: str, reason: FinishReason, usage: Usage, *, context: RequestContext
    ) -> SentenceTranslation:
        """Look at both texts without what no language owns, which is the same in both."""
        pieces = sentence.form.masked.pieces_text
        findings = await context.run_and_yield(
            lambda: check(
                truecase(blanked(sentence.sentence, pieces), self._source, self._names).text,
                blanked(text, pieces),
                source_language=self._source,
                target_language=self._target,
            )
        )
        return SentenceTranslation(text, reason, tuple(findings), usage)
