"""What `kunnafoni evaluate` found, as a page that needs nothing else: a table, and quality against speed as a plot."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni.cli.scores import Score

_WIDTH, _HEIGHT, _MARGIN = 640, 360, 56
STYLE = (
    "body{font:16px system-ui;margin:2em auto;max-width:60em}table{border-collapse:collapse}"
    "td,th{border:1px solid #bbb;padding:.3em .6em;text-align:right}td:first-child,th:first-child{text-align:left}"
)


@dataclass(frozen=True, slots=True)
class Result:
    """One system on one test set.

    Attributes:
        system: Model id or address.
        scores: Of all metrics.
        characters_per_s: Source characters over the wall time of all calls.
        peak_mb: Peak resident memory of the server's process in MB; None if the server is not ours to look at.
        cached_segments: Segments that the server had made before, which cost it nothing and count as speed.
    """

    system: str
    scores: Sequence[Score]
    characters_per_s: float
    peak_mb: float | None
    cached_segments: int = 0


def html(title: str, results: Sequence[Result]) -> str:
    """The page for `results`; its plot shows the first metric."""
    metrics = [score.metric for score in results[0].scores]
    head = "".join(f"<th>{escape(name)}</th>" for name in ("system", *metrics, "characters/s", "peak MB"))
    rows = "".join(
        f"<tr><td>{escape(result.system)}</td>{''.join(f'<td>{_cell(score)}</td>' for score in result.scores)}"
        f"<td>{result.characters_per_s:.0f}</td><td>{_memory(result.peak_mb)}</td></tr>"
        for result in results
    )
    notes = "".join(f"<li>{escape(score.metric)}: {escape(score.signature)}</li>" for score in results[0].scores)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"<h1>{escape(title)}</h1><table><tr>{head}</tr>{rows}</table>"
        f"<p>p: chance of such a difference from the first system (paired bootstrap).</p>{_plot(results)}"
        f"<h2>Signatures</h2><ul>{notes}</ul></html>\n"
    )


def _cell(score: Score) -> str:
    return f"{score.value:.2f}" + ("" if score.p_value is None else f" (p {score.p_value:.3f})")


def _memory(peak_mb: float | None) -> str:
    return "–" if peak_mb is None else f"{peak_mb:.0f}"


def _plot(results: Sequence[Result]) -> str:
    """Speed to the right, quality upwards, both from zero."""
    fastest = max(result.characters_per_s for result in results) * 1.1 or 1.0
    best = max(result.scores[0].value for result in results) * 1.1 or 1.0
    bottom = _HEIGHT - _MARGIN
    marks = ""
    for result in results:
        x = _MARGIN + result.characters_per_s / fastest * (_WIDTH - 2 * _MARGIN)
        y = bottom - result.scores[0].value / best * (bottom - _MARGIN / 2)
        marks += f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/><text x="{x:.1f}" y="{y - 9:.1f}" text-anchor="middle">'
        marks += f"{escape(result.system)}</text>"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" aria-label="quality, speed" font-size="13">'
        f'<path d="M{_MARGIN} {_MARGIN / 2}V{bottom}H{_WIDTH - _MARGIN}" fill="none" stroke="black"/>'
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 16}" text-anchor="middle">characters/s (to {fastest:.0f})</text>'
        f'<text x="14" y="{_MARGIN / 2 + 4}">{escape(results[0].scores[0].metric)} (to {best:.0f})</text>{marks}</svg>'
    )
