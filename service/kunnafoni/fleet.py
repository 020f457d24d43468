"""The models of this server: what the catalog says of each, its engine, and the routes that the ready ones make.

It chooses nothing (`routes.py` does) and runs nothing (the engines do).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.engine.engines import State
from kunnafoni.errors import LoadingError, UnsupportedPairError
from kunnafoni.hops import DirectHop, PivotHop
from kunnafoni.routes import Hop, Served, best, pairs, plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kunnafoni.engine.engine import Engine
    from kunnafoni.engine.engines import Engines, Status
    from kunnafoni.hops import SentenceTranslator
    from kunnafoni_models.entries import CatalogEntry

ROUTING_METRIC = "chrF++"
SUMMARY_METRIC = "ROUGE-L"


class Fleet:
    """Catalog entries by identifier, and the engines of those that were told to load."""

    def __init__(self, entries: Mapping[str, CatalogEntry], engines: Engines[CatalogEntry]) -> None:
        self.entries = entries
        self._engines = engines

    def engine(self, model_id: str) -> Engine:
        """The engine of a ready model.

        Raises:
            LoadingError, NotFoundError: see `Engines.engine`.
        """
        return self._engines.engine(model_id)

    def status(self, model_id: str) -> Status | None:
        """Where a model stands; None if this server was not told to load it."""
        return self._engines.statuses().get(model_id)

    def route(self, source: str, target: str) -> tuple[Hop, ...]:
        """The hops from `source` to `target` over ready models.

        Raises:
            LoadingError: no ready model serves the pair, and a model is still loading.
            UnsupportedPairError: no model serves the pair.
        """
        try:
            return plan(self._served(), source, target)
        except UnsupportedPairError:
            self._check_loading()  # it may be the pair of a model that is still on its way
            raise

    def summary_hop(self, language: str) -> Hop | None:
        """The best ready model that summarises texts in `language`, as a hop from it to itself; None if none does.

        Raises:
            LoadingError: a model is still loading and none is ready.
        """
        ready = self._ready()
        if not ready:
            self._check_loading()
        served = [
            Served(
                Hop(entry.id, language, language), _score(entry, language, language, SUMMARY_METRIC), entry.parameters
            )
            for entry in ready
            if language in entry.summary_languages and language not in entry.extract_languages
        ]
        return best(served, language, language)

    def extracts_better(self, language: str) -> bool:
        """Whether ready models summarise texts in `language`, but none better than the texts' own best sentences."""
        summarising = [entry for entry in self._ready() if language in entry.summary_languages]
        return bool(summarising) and all(language in entry.extract_languages for entry in summarising)

    def routes(self) -> dict[tuple[str, str], tuple[Hop, ...]]:
        """All pairs that the ready models serve, with their hops, ordered by source and target."""
        return pairs(self._served())

    def sentence_translator(self, route: Sequence[Hop]) -> SentenceTranslator:
        """The translator of a route: one hop is direct, two are a pivot.

        Raises:
            NotFoundError: a model has been unloaded since the route was planned.
        """
        hops = [DirectHop(self.engine(hop.model_id), hop) for hop in route]
        return hops[0] if len(hops) == 1 else PivotHop(*hops, route=route)

    def _ready(self) -> list[CatalogEntry]:
        statuses = self._engines.statuses()
        return [
            entry for entry in self.entries.values() if entry.id in statuses and statuses[entry.id].state is State.READY
        ]

    def _check_loading(self) -> None:
        if any(status.state is State.LOADING for status in self._engines.statuses().values()):
            raise LoadingError

    def _served(self) -> list[Served]:
        return [
            Served(
                Hop(entry.id, direction.source, direction.target),
                _score(entry, direction.source, direction.target, ROUTING_METRIC),
                entry.parameters,
            )
            for entry in self._ready()
            for direction in entry.directions
        ]


def _score(entry: CatalogEntry, source: str, target: str, metric: str) -> float | None:
    return next(
        (
            quality.score
            for quality in entry.quality
            if (quality.source, quality.target, quality.metric) == (source, target, metric)
        ),
        None,
    )
