"""What a training run did, as a page that needs nothing else: a table before and after, and the curves of its log.

It knows the lines of `training.jsonl` and values; it draws no plot of anything else.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from kunnafoni.cli.report import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kunnafoni_models.training.log import Log
    from kunnafoni_models.training.verdict import Comparison

    Points = Sequence[tuple[float, float]]

_WIDTH, _HEIGHT, _MARGIN = 640, 260, 48
# Colours that are told apart without red and green (Okabe & Ito 2008).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")


def training_page(
    title: str,
    *,
    facts: Mapping[str, str],
    comparisons: Sequence[Comparison],
    objections: Sequence[str],
    log: Log,
) -> str:
    """The page.

    Args:
        title: Heading.
        facts: What there is to say in a line each: name -> value.
        comparisons: Before and after.
        objections: Why the model was refused, or installed by force; empty if nothing speaks against it.
        log: Of the run.
    """
    steps = log.events("progress")
    loss = {"loss": [(each["step"], each["loss"]) for each in steps if each["loss"] is not None]}
    speed = {"tokens/s": [(each["step"], each["tokens_per_second"]) for each in steps if each["tokens_per_second"]]}
    plots = (
        _plot("Loss, nats a target token", loss)
        + _plot("Dev rows, nats a character", _dev_curves(steps))
        + _plot("Speed, tokens a second", speed)
    )
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())
    worse = "".join(f"<li>{escape(each)}</li>" for each in objections)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"<h1>{escape(title)}</h1><table>{rows}</table>{_compared(comparisons)}"
        f"{f'<h2>Worse than before</h2><ul>{worse}</ul>' if worse else ''}{plots}</html>\n"
    )


def _compared(comparisons: Sequence[Comparison]) -> str:
    if not comparisons:
        return ""
    rows = "".join(
        f"<tr><td>{escape(each.test_set)}</td><td>{escape(task)}</td>{_cells(each, task)}</tr>"
        for each in comparisons
        for task in each.after.scores
    )
    head = "".join(f"<th>{name}</th>" for name in ("test set", "direction", "before", "after", "difference"))
    return (
        f"<h2>chrF++ before and after</h2><table><tr>{head}</tr>{rows}</table>"
        f"<p>Both as int8, greedy, no second tries. {escape(comparisons[0].after.signature)}</p>"
    )


def _cells(each: Comparison, task: str) -> str:
    after = each.after.scores[task]
    if each.before is None:
        return f"<td>–</td><td>{after:.2f}</td><td>–</td>"
    before = each.before.scores[task]
    return f"<td>{before:.2f}</td><td>{after:.2f}</td><td>{after - before:+.2f}</td>"


def _dev_curves(steps: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    curves: dict[str, list[tuple[float, float]]] = {}
    for each in steps:
        dev: Mapping[str, float] = each["dev"] or {}
        for name, value in dev.items():
            curves.setdefault(name, []).append((each["step"], value))
    return curves


def _plot(title: str, curves: Mapping[str, Points]) -> str:
    """Steps to the right, values upwards, from the lowest to the highest."""
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return ""
    last = max(x for x, _ in points) or 1.0
    low, high = min(y for _, y in points), max(y for _, y in points)
    bottom, span = _HEIGHT - _MARGIN, (high - low) or 1.0

    def place(x: float, y: float) -> str:
        right = _MARGIN + x / last * (_WIDTH - 2 * _MARGIN)
        return f"{right:.1f},{bottom - (y - low) / span * (bottom - _MARGIN / 2):.1f}"

    lines = "".join(
        f'<polyline fill="none" stroke="{_COLOURS[number % len(_COLOURS)]}" stroke-width="2" '
        f'points="{" ".join(place(x, y) for x, y in curve)}"/>'
        for number, curve in enumerate(curves.values())
    )
    legend = " ".join(
        f'<span style="color:{_COLOURS[number % len(_COLOURS)]}">■ {escape(name)}</span>'
        for number, name in enumerate(curves)
    )
    return (
        f'<h2>{escape(title)}</h2><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" '
        f'aria-label="{escape(title)}" font-size="13">'
        f'<path d="M{_MARGIN} {_MARGIN / 2}V{bottom}H{_WIDTH - _MARGIN}" fill="none" stroke="black"/>{lines}'
        f'<text x="2" y="{_MARGIN / 2 + 4}">{high:.4g}</text><text x="2" y="{bottom}">{low:.4g}</text>'
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 14}" text-anchor="middle">step (to {last:.0f})</text></svg>'
        f"<p>{legend}</p>"
    )
