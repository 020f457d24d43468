"""Fits texts to lengths: an article to what a model reads at once, a sentence to what a reader asked for.

Measured on the 100 documents of OrangeSum dev after its first 150 (French, embedded model of 2026-11-23, ROUGE-L):
the lead read to 150, 200, 250, 320 and 450 tokens gave 18.0, 18.7, 19.0, 18.9 and 18.3 with greedy decoding, and with
four beams to 200, 250 and 450 tokens 19.7, 19.4 and 18.9. Such differences are within what chance does to 100
documents: on the first 150 greedy decoding does better with 440 tokens (18.4) than with 200 (17.5). `LEAD_TOKENS` is
the cheaper of what is not told apart.

It does not know models or tokens: it is told how many tokens each sentence has.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAD_TOKENS = 200
"""What a model reads at once of an article, in its own tokens."""


def parts(tokens: Sequence[int], max_tokens: int = LEAD_TOKENS) -> list[range]:
    """Divide sentences into parts of at most `max_tokens`: places of sentences, in order, none left out.

    A sentence that has more is a part by itself, for the caller to cut.

    Args:
        tokens: How many tokens each sentence has, the space before it included.
        max_tokens: What a part may have.
    """
    divided: list[range] = []
    start = spent = 0
    for place, count in enumerate(tokens):
        if place > start and spent + count > max_tokens:
            divided.append(range(start, place))
            start, spent = place, 0
        spent += count
    if start < len(tokens):
        divided.append(range(start, len(tokens)))
    return divided


_CLAUSE_END = re.compile(r"[,;:–—]\W*$|\W*[–—]$")


def clipped(text: str, max_words: int) -> str:
    """`text` if it has at most `max_words` words (as `str.split` counts them), else its beginning and `…`.

    It ends at a clause if one ends in the second half of those words. Empty if `max_words` is 0.
    """
    words = text.split()
    if len(words) <= max_words:
        return text
    kept = words[:max_words]
    clause_ends = [place for place, word in enumerate(kept, 1) if _CLAUSE_END.search(word)]
    if clause_ends and 2 * clause_ends[-1] >= max_words:
        kept = kept[: clause_ends[-1]]
    return f"{' '.join(kept).rstrip(',;:–— ')}…" if kept else ""
