"""The models of this server: what the catalog says of each, its engine, and the routes that the ready ones make.

It chooses nothing (`routes.py` does) and runs nothing (the engines do).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni.engine.engine_manager import ModelState
from kunnafoni.errors import LoadingError, UnsupportedPairError
from kunnafoni.translation.direct import DirectTranslator
from kunnafoni.translation.pivot import PivotTranslator
from kunnafoni.translation.routes import Hop, Served, best, pairs, plan
from kunnafoni.translation.sentence_form import FormTranslator
from kunnafoni_models.backend import CatalogError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kunnafoni.engine.engine import Engine
    from kunnafoni.engine.engine_manager import EngineManager, ModelStatus
    from kunnafoni.translation.sentences import SentenceTranslator
    from kunnafoni_models.catalog.entry import CatalogEntry

ROUTING_METRIC = "chrF++"
SUMMARY_METRIC = "ROUGE-L"


class ModelPool:
    """Catalog entries by identifier, and the engines of those that are loaded.

    Args:
        entries, routes, summaries: See `replace`.
        engines: The models at work.
        fallback_decoding: See `DirectTranslator`.
        pivots: Whether a direction goes by way of another language where its model is better so; where no model serves
            it directly, it does in any case.
    """

    entries: Mapping[str, CatalogEntry]

    def __init__(
        self,
        entries: Mapping[str, CatalogEntry],
        engines: EngineManager[CatalogEntry],
        *,
        routes: Mapping[str, str] | None = None,
        summaries: Mapping[str, str] | None = None,
        fallback_decoding: bool = True,
        pivots: bool = True,
    ) -> None:
        self._engines = engines
        self.fallback_decoding = fallback_decoding
        self._pivots = pivots
        self.replace(entries, routes=routes or {}, summaries=summaries or {})

    def replace(
        self, entries: Mapping[str, CatalogEntry], *, routes: Mapping[str, str], summaries: Mapping[str, str]
    ) -> None:
        """Take another catalog and other choices from now on; nothing changes if they are wrong.

        Args:
            entries: The catalog; of a model that is loaded it has to have the entry that was loaded.
            routes: The operator's model for a direction, as `en>fr`; goes before better ones while it is ready.
            summaries: The operator's model for summaries in a language, likewise.

        Raises:
            CatalogError: a model of `routes` or `summaries` is not in the catalog or cannot do what it is chosen for.
        """
        for pair, model_id in routes.items():
            supported = [
                f"{direction.source}>{direction.target}" for direction in entry_of(entries, model_id).directions
            ]
            if pair not in supported:
                raise CatalogError(f"routes: {model_id} does not translate {pair}, {_only(supported)}")
        for language, model_id in summaries.items():
            supported = entry_of(entries, model_id).summary_languages
            if language not in supported:
                raise CatalogError(f"summaries: {model_id} does not summarise {language}, {_only(supported)}")
        self.entries, self._routes, self._summaries = entries, routes, summaries

    def engine(self, model_id: str) -> Engine:
        """The engine of a ready model.

        Raises:
            LoadingError, ModelChangedError: see `EngineManager.engine`.
        """
        return self._engines.engine(model_id)

    def statuses(self) -> dict[str, ModelStatus]:
        """The status of each model that this server is configured to load."""
        return self._engines.statuses()

    def status(self, model_id: str) -> ModelStatus | None:
        """The status of a model; None if this server is not configured to load it."""
        return self.statuses().get(model_id)

    def route(self, source: str, target: str) -> tuple[Hop, ...]:
        """The hops from `source` to `target` over ready models.

        Raises:
            LoadingError: no ready model serves the pair, and a model is still loading.
            UnsupportedPairError: no model serves the pair.
        """
        try:
            return plan(self._served(), source, target)
        except UnsupportedPairError:
            self._check_loading()  # the pair may be that of a model that is still loading
            raise

    def summary_hop(self, language: str) -> Hop | None:
        """The best ready model that summarises texts in `language`, as a hop from it to itself; None if none does.

        Raises:
            LoadingError: a model is still loading and none is ready.
        """
        if not self._ready():
            self._check_loading()
        return self._summary_hop(language)

    def extracts_better(self, language: str) -> bool:
        """Whether ready models summarise texts in `language`, but none better than the texts' own best sentences."""
        summarising = [entry for entry in self._ready() if language in entry.summary_languages]
        return bool(summarising) and self._summary_hop(language) is None

    def routes(self) -> dict[tuple[str, str], tuple[Hop, ...]]:
        """All pairs that the ready models serve, with their hops, ordered by source and target."""
        return pairs(self._served())

    def first_models(self, source: str | None, target: str) -> set[str]:
        """The models with which translations to `target` begin, from `source` or, if it is None, from any language."""
        return {route[0].model_id for (s, t), route in self.routes().items() if t == target and source in {None, s}}

    def translates(self, model_id: str, source: str, target: str) -> bool:
        """Whether texts from `source` to `target` go to this model and no other now."""
        try:
            return {hop.model_id for hop in plan(self._served(), source, target)} == {model_id}
        except UnsupportedPairError:
            return False

    def summarizes(self, model_id: str, language: str) -> bool:
        """Whether this model summarises texts in `language` now."""
        hop = self._summary_hop(language)
        return hop is not None and hop.model_id == model_id

    def sentence_translator(self, route: Sequence[Hop], names: Mapping[str, str]) -> SentenceTranslator:
        """The translator of a route: one hop is direct, two are a pivot.

        Args:
            route: The hops.
            names: How the content writes its names, for sentences in capitals; see `letter_case.truecase`.

        Raises:
            ModelChangedError: a model has been unloaded since the route was planned.
        """
        source, target = route[0].source, route[-1].target
        inner, *second = [self._direct(hop) for hop in route]
        if second:
            mark_pivoted = best(self._served(), source, target) is None
            inner = PivotTranslator(inner, *second, route=route, mark_pivoted=mark_pivoted)
        return FormTranslator(inner, source=source, target=target, names=names)

    def _direct(self, hop: Hop) -> DirectTranslator:
        engine = self.engine(hop.model_id)
        direction = self.entries[hop.model_id].direction(hop.source, hop.target)
        penalty = direction.repetition_penalty if direction else 1.0
        return DirectTranslator(engine, hop, repetition_penalty=penalty, fallback_decoding=self.fallback_decoding)

    def _summary_hop(self, language: str) -> Hop | None:
        ready = [entry for entry in self._ready() if language in entry.summary_languages]
        extracting = any(self._extracts(entry, language) for entry in ready)
        served = [
            Served(
                Hop(entry.id, entry.revision, language, language),
                _score(entry, language, language, SUMMARY_METRIC),
                entry.parameters,
                chosen=self._summaries.get(language) == entry.id,
            )
            for entry in ready
            if not self._extracts(entry, language)
        ]
        if extracting:  # extraction was measured, so what was not measured ranks below it
            served = [choice for choice in served if choice.chosen or choice.score is not None]
        return best(served, language, language)

    def _extracts(self, entry: CatalogEntry, language: str) -> bool:
        """Whether a text's own sentences measured better than the model's summaries, and the operator lets that be."""
        return language in entry.extract_languages and self._summaries.get(language) != entry.id

    def _ready(self) -> list[CatalogEntry]:
        statuses = self._engines.statuses()
        return [
            entry
            for entry in self.entries.values()
            if entry.id in statuses and statuses[entry.id].state is ModelState.READY
        ]

    def _check_loading(self) -> None:
        if any(status.state is ModelState.LOADING for status in self._engines.statuses().values()):
            raise LoadingError

    def _served(self) -> list[Served]:
        return [
            Served(
                Hop(entry.id, entry.revision, direction.source, direction.target),
                _score(entry, direction.source, direction.target, ROUTING_METRIC),
                entry.parameters,
                chosen=self._routes.get(f"{direction.source}>{direction.target}") == entry.id,
                pivot=direction.pivot if self._pivots else None,
            )
            for entry in self._ready()
            for direction in entry.directions
        ]


def _only(supported: Sequence[str]) -> str:
    return f"only {', '.join(supported)}" if supported else "nor anything else"


def _score(entry: CatalogEntry, source: str, target: str, metric: str) -> float | None:
    return next(
        (
            quality.score
            for quality in entry.quality
            if (quality.source, quality.target, quality.metric) == (source, target, metric)
        ),
        None,
    )


def entry_of(entries: Mapping[str, CatalogEntry], model_id: str) -> CatalogEntry:
    """The entry of a model.

    Raises:
        CatalogError: there is none.
    """
    if model_id not in entries:
        raise CatalogError(f"there is no model {model_id} in the catalog; it has {', '.join(entries)}")
    return entries[model_id]
