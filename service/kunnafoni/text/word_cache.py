"""Caches the results of functions over words: most texts consist of the same words."""

from __future__ import annotations

from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

OptionsP = ParamSpec("OptionsP")
ResultT = TypeVar("ResultT")
# Longer strings are not words, and thousands of them would fill the memory.
_MAX_LENGTH = 40


def word_cache(
    function: Callable[Concatenate[str, OptionsP], ResultT],
) -> Callable[Concatenate[str, OptionsP], ResultT]:
    """Cache the results of `function`, which must be immutable, for the 8,192 words used last."""
    remembered = lru_cache(maxsize=8192)(function)

    @wraps(function)
    def cached(word: str, *options: OptionsP.args, **named: OptionsP.kwargs) -> ResultT:
        return (remembered if len(word) <= _MAX_LENGTH else function)(word, *options, **named)

    return cached
