"""Remembers what a function makes of words, of which most texts have the same."""

from __future__ import annotations

from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

OptionsP = ParamSpec("OptionsP")
ResultT = TypeVar("ResultT")
# Longer ones are no words, and thousands of them would fill the memory.
_LONGEST = 40


def word_cache(
    function: Callable[Concatenate[str, OptionsP], ResultT],
) -> Callable[Concatenate[str, OptionsP], ResultT]:
    """Have `function`, which gives what nobody changes, remember its results for 8,192 words."""
    remembered = lru_cache(maxsize=8192)(function)

    @wraps(function)
    def cached(word: str, *options: OptionsP.args, **named: OptionsP.kwargs) -> ResultT:
        return (remembered if len(word) <= _LONGEST else function)(word, *options, **named)

    return cached
