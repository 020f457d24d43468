"""The work of the job service: stored bytes -> values -> the pipeline -> values -> bytes to be stored."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

import kunnafoni
from kunnafoni.errors import ItemCrashesServersError, LoadingError
from kunnafoni.jobs.values import ItemResult
from kunnafoni.jobs.work import Outcome
from kunnafoni.languages import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kunnafoni.jobs.values import Codec
    from kunnafoni.jobs.work import ClaimedItem, Processor
    from kunnafoni.translation.model_pool import ModelPool

LOG = logging.getLogger(__name__)


class JobWork:
    """A `kunnafoni.jobs.work.Work` on the pipeline of this server."""

    def __init__(self, items: Processor, codec: Codec, *, revisions: Callable[[], str]) -> None:
        """Connect it.

        Args:
            items: Does the work on one item.
            codec: Reads what is stored and writes what is to be stored.
            revisions: Everything beside content and options that results depend on, as one string; it may change.
        """
        self._items = items
        self._codec = codec
        self._revisions = revisions

    def fingerprints(self, items: Sequence[ClaimedItem]) -> list[bytes]:
        """See Work."""
        revisions = self._revisions()
        return [self._fingerprint(item, revisions) for item in items]

    def give_up(self, item: ClaimedItem) -> Outcome:
        """See Work."""
        LOG.error("item %d of job %d has crashed servers %d times", item.position, item.job, item.crash_count)
        error = ItemCrashesServersError(crash_count=item.crash_count)
        body = self._codec.encode_result(ItemResult(error=error), item.spec, item.body)
        return Outcome(item, body=body, failed=True)

    async def run(self, item: ClaimedItem) -> Outcome:
        """See Work."""
        revisions = self._revisions()
        spec, content = self._codec.decode_spec(item.spec), self._codec.decode_item(item.body)
        result = await self._items.process(spec, content, job=item.job, position=item.position)
        body = self._codec.encode_result(result, item.spec, item.body)
        if result.error:
            return Outcome(item, body=body, failed=True)
        segments = sum(len(translation.segments) for translation in result.translations) + len(result.editions)
        # If models were changed meanwhile, each may have had a part in it: the result is not for other items.
        fingerprint = self._fingerprint(item, revisions) if self._revisions() == revisions else None
        return Outcome(item, body=body, segments=segments, fingerprint=fingerprint)

    def _fingerprint(self, item: ClaimedItem, revisions: str) -> bytes:
        spec, content = self._codec.decode_spec(item.spec), self._codec.decode_item(item.body)
        options = spec.options.merged_with(content.options)
        described = repr((spec.kind, content.text, content.headline, content.language, options, revisions))
        return hashlib.blake2b(described.encode(), digest_size=16).digest()


def revisions_of(model_pool: ModelPool) -> str:
    """What results depend on beside content and options: this version, its settings, and which models do what."""
    routes = [hops for _, hops in sorted(model_pool.routes().items())]
    models = [model_pool.entries[model_id].fingerprint for model_id in sorted(model_pool.statuses())]
    try:
        summaries = [
            f"{model_pool.summary_hop(language)} {model_pool.extracts_better(language)}" for language in LANGUAGES
        ]
    except LoadingError:  # models are being changed: items wait for them
        summaries = []
    return " ".join(
        (
            kunnafoni.__version__,
            f"fallback_decoding={model_pool.fallback_decoding}",
            *models,
            *map(str, routes),
            *summaries,
        )
    )
