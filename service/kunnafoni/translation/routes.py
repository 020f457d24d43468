"""Which models serve a language pair: one model where that is best, otherwise two by way of a third language (a pivot).

Of several models for a pair, the operator's choice goes first, then the one that measured best, then the cheapest.
These are pure functions of directions, choices and measured quality; they know no models and no engines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kunnafoni.errors import UnsupportedPairError
from kunnafoni.languages import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Hop:
    """One model run: `model_id`, in its `revision`, reads `source` and writes `target` (BCP-47 codes)."""

    model_id: str
    revision: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Served:
    """A direction that a loaded model serves.

    Attributes:
        hop: The model and its direction.
        score: Measured quality, higher is better (chrF++); None if it was never measured, which ranks last.
        cost: Relative cost of a token, lower is better: the model's parameters.
        chosen: Whether the operator has mapped the direction to this model, which then precedes all others.
        pivot: The third language by way of which this direction comes out better; it is used if both halves are served.
    """

    hop: Hop
    score: float | None
    cost: float
    chosen: bool = False
    pivot: str | None = None


def plan(served: Iterable[Served], source: str, target: str) -> tuple[Hop, ...]:
    """Choose the hops from `source` to `target`.

    The best direct model is taken, or the way over its `pivot`, if it has one. Without a direct model it is the pivot
    whose weaker half is best.

    Raises:
        UnsupportedPairError: neither exists; it names the pairs that are served.
    """
    best = _best_per_pair(served)
    direct = best.get((source, target))
    pivots = [
        (best[source, pivot], best[pivot, target])
        for pivot in _pivot_languages(direct)
        if (source, pivot) in best and (pivot, target) in best
    ]
    if pivots:
        first, second = max(pivots, key=lambda pair: min(_rank(pair[0]), _rank(pair[1])))
        return first.hop, second.hop
    if direct:
        return (direct.hop,)
    raise UnsupportedPairError(source, target, ", ".join(f"{s}>{t}" for s, t in sorted(best)))


def best(served: Iterable[Served], source: str, target: str) -> Hop | None:
    """Choose the best model that serves `source` to `target` by itself; None if none does."""
    candidate = _best_per_pair(served).get((source, target))
    return candidate.hop if candidate else None


def pairs(served: Iterable[Served]) -> dict[tuple[str, str], tuple[Hop, ...]]:
    """All pairs that can be translated with their hops, ordered by source and target."""
    choices = list(served)
    routes: dict[tuple[str, str], tuple[Hop, ...]] = {}
    for source in sorted(LANGUAGES):
        for target in sorted(LANGUAGES):
            if source == target:
                continue
            try:
                routes[source, target] = plan(choices, source, target)
            except UnsupportedPairError:
                continue
    return routes


def _pivot_languages(direct: Served | None) -> list[str]:
    """The languages by way of which a pair may go, given its best direct model."""
    if direct is None:
        return sorted(LANGUAGES)
    return [direct.pivot] if direct.pivot else []


def _best_per_pair(served: Iterable[Served]) -> dict[tuple[str, str], Served]:
    best: dict[tuple[str, str], Served] = {}
    for candidate in served:
        pair = candidate.hop.source, candidate.hop.target
        if pair not in best or _rank(candidate) > _rank(best[pair]):
            best[pair] = candidate
    return best


def _rank(served: Served) -> tuple[bool, float, float]:
    score = float("-inf") if served.score is None else served.score
    return served.chosen, score, -served.cost
