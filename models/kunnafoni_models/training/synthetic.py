"""Rows of which a model wrote one side: two languages that few texts pair, by way of one that is well paired with both.

A Bambara-French corpus becomes a Bambara-English one when its French is translated to English. What was made teaches
best as a source of real targets (back-translation, Sennrich et al. 2016, "Improving neural machine translation models
with monolingual data"); as a target it teaches content, and the model's own style.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from kunnafoni_models.training.batch_translation import translated
from kunnafoni_models.training.corpus import Row
from kunnafoni_models.training.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kunnafoni_models.backend import Backend
    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.recipe import Synthetic

# What a stopped run loses at most.
_SAVED_EVERY_TEXTS = 320
# Characters of a text that is translated: of words alone and of very long sentences a small model makes little.
_LENGTHS = range(12, 301)
# Made text over its source, in characters: 99.7 % of FLORES-200 dev, between English and French, is within.
_LOWEST_RATIO, _HIGHEST_RATIO = 0.5, 1.8
_FEWEST_DIFFERENT_WORDS = 0.45
_REPETITION = re.compile(r"(.{4,})\1\1")


def synthetic_rows(
    backend: Backend,
    entry: CatalogEntry,
    rows: Sequence[Row],
    wish: Synthetic,
    *,
    saved: Path,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Row]:
    """Translate the targets of some rows and pair them with the sources.

    Args:
        backend: The model that translates, loaded.
        entry: Its entry.
        rows: What there is.
        wish: Which of them, into what, with what weights.
        saved: File of the translations, one JSON object a line; what it has already is not made again.
        should_stop: Asked every few batches.

    Returns:
        For every pair whose translation is sound a row `source>into` and, if its source is the target of another row
        (so that its spelling is fit to learn), a row `into>source`.

    Raises:
        TrainingError: The model does not translate so, or `should_stop` said so.
        OSError: `saved` cannot be read or written.
    """
    source, _, pivot = wish.task.partition(">")
    if not entry.direction(pivot, wish.into) or source == wish.into:
        raise TrainingError(f"synthetic: {entry.id} makes no {wish.into} of the {pivot} in {wish.task}")
    pairs = sorted({(row.source, row.target) for row in rows if row.task == wish.task and len(row.target) in _LENGTHS})
    made = _translations(backend, entry, [text for _, text in pairs], wish, saved=saved, should_stop=should_stop)
    learnt = {row.target for row in rows if row.task.endswith(f">{source}")}
    found: list[Row] = []
    for text, through in pairs:
        if not _sound(through, made[through]):
            continue
        if wish.weight:
            found.append(Row(f"{source}>{wish.into}", wish.weight, text, made[through]))
        if wish.reverse_weight and text in learnt:
            found.append(Row(f"{wish.into}>{source}", wish.reverse_weight, made[through], text))
    return found


def _translations(
    backend: Backend,
    entry: CatalogEntry,
    texts: Sequence[str],
    wish: Synthetic,
    *,
    saved: Path,
    should_stop: Callable[[], bool],
) -> Mapping[str, str]:
    """Text -> its translation; empty where the model found no end."""
    source, target = wish.task.partition(">")[2], wish.into
    made = dict(_saved(saved))
    todo = sorted({text for text in texts if text not in made}, key=len)
    limit = entry.limits.translate_input_tokens
    with saved.open("a", encoding="utf-8") as file:
        for start in range(0, len(todo), _SAVED_EVERY_TEXTS):
            if should_stop():
                raise TrainingError(f"stopped; --resume goes on from {saved.parent}")
            part = [text for text in todo[start : start + _SAVED_EVERY_TEXTS] if backend.count_tokens(text) <= limit]
            outputs = translated(backend, entry, part, source=source, target=target)
            for text, output in zip(part, outputs, strict=True):
                made[text] = "" if output.reached_cap else " ".join(output.text.split())
                file.write(json.dumps([text, made[text]], ensure_ascii=False) + "\n")
            file.flush()
    return {text: made.get(text, "") for text in texts}


def _saved(path: Path) -> Iterator[tuple[str, str]]:
    """What an earlier run has made; a line that it did not finish is cut off."""
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    for line in whole.decode("utf-8").splitlines():
        text, made = json.loads(line)
        yield text, made


def _sound(text: str, made: str) -> bool:
    words = made.split()
    return (
        bool(words)
        and made != text
        and _LOWEST_RATIO < len(made) / len(text) < _HIGHEST_RATIO
        and len(set(words)) > _FEWEST_DIFFERENT_WORDS * len(words)
        and not _REPETITION.search(made)
    )
