"""The protocol of all backends, its value types and its errors.

A backend turns texts into model tokens and back, and runs batches. It does not know requests, how batches are formed,
or where sentences end; of languages it knows the BCP-47 codes `en`, `fr` and `bm`.

    ModelError
    ├── CatalogError          a catalog entry is malformed or contradicts itself
    ├── ModelFileError        a file of the model is missing, corrupt, or differs from its catalog entry
    ├── ModelLoadError        the files are right but the runtime cannot load them (memory, architecture, device)
    └── InputTooLongError     one text has more tokens than the model takes
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class ModelError(Exception):
    """Base of all errors of models and their files; the message names the file or limit, and the remedy."""


class CatalogError(ModelError):
    """A catalog entry is malformed or contradicts itself."""


class ModelFileError(ModelError):
    """A file of the model is missing, corrupt, or differs from its catalog entry."""


class ModelLoadError(ModelError):
    """The runtime cannot load the model: too little memory, an unknown architecture, no such device."""


class InputTooLongError(ModelError):
    """One text has more tokens than the model takes."""

    def __init__(self, tokens: int, max_tokens: int) -> None:
        super().__init__(f"the text has {tokens} tokens and the model takes {max_tokens}")
        self.tokens = tokens
        self.max_tokens = max_tokens


# Lower bounds of the length buckets; beyond the last one there is a bucket every 16 tokens. Wider buckets give larger
# batches, but a runtime that prefills only as many tokens as the shortest prompt of a batch has reads more tokens one
# by one. Few sentences have over 64 tokens, so the buckets there are wide; beyond 96 a prompt is mostly alone in its
# batch, so its own speed counts (from a simulation with measured times of a decode step, FLORES-200 dev, two cores,
# 2026-11-26).
_LENGTH_BUCKETS = (0, 8, 16, 24, 32, 48, 64, 96)
# Prompts with fillers are never read token by token, so fewer lengths suffice: every 16 tokens up to this length, then
# every 32. Of five sets tried, this one had the highest throughput (64 clients, FLORES-200 dev, two cores, 2026-11-27).
_FILL_TO_16_UP_TO = 64


def filled_length(tokens: int) -> int:
    """The length to which a prompt of `tokens` tokens is filled up; every length bucket has at most one such length."""
    step = 16 if tokens <= _FILL_TO_16_UP_TO else 32
    return -(-tokens // step) * step


@dataclass(frozen=True, slots=True)
class Decoding:
    """How an output is searched for; the default is greedy and deterministic.

    Attributes:
        beam_size: Hypotheses kept at each step; 1 is greedy search.
        repetition_penalty: Divides the score of tokens already produced (Keskar et al. 2019, CTRL), and on CTranslate2
            of a few tokens at the end of the prompt; 1.0 is off.
        no_repeat_ngram_size: No n-gram of this many tokens is produced twice; 0 is off.
    """

    beam_size: int = 1
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads for one sequence of a batch. Only the backend that made it knows what its tokens mean.

    Attributes:
        tokens: Tokens as strings, in the model's own vocabulary.
        max_output_tokens: The output cap; an output that reaches it has `reached_cap` set.
        target_prefix: Tokens that are forced at the beginning of an encoder-decoder model's output (its language code);
            not counted in the output.
        background: Whether other sequences may overtake it, with continuous batching. The output does not depend on it,
            and the cache of outputs is keyed by the representation, so the representation leaves it out.
    """

    tokens: tuple[str, ...]
    max_output_tokens: int
    target_prefix: tuple[str, ...] = ()
    background: bool = field(default=False, repr=False)

    @property
    def length_bucket(self) -> int:
        """The prompt's length rounded down; prompts of one bucket share batches (see `_LENGTH_BUCKETS`)."""
        length = len(self.tokens)
        if length >= _LENGTH_BUCKETS[-1]:
            return length - length % 16
        return _LENGTH_BUCKETS[bisect_right(_LENGTH_BUCKETS, length) - 1]


@dataclass(frozen=True, slots=True)
class Output:
    """What the model produced for one prompt.

    Attributes:
        text: Without special tokens and without leading or trailing white space.
        tokens: How many tokens were produced, the end token not counted.
        reached_cap: True if the output stopped at `max_output_tokens` instead of at the end token.
    """

    text: str
    tokens: int
    reached_cap: bool


# Called with a sequence's index in its batch, and its output.
OutputCallback = Callable[[int, Output], object]


class Backend(Protocol):
    """A loaded model. Its methods block.

    Attributes:
        parallel: How many threads may be inside `generate` at the same time.
        supports_continuous_batching: Whether sequences join those of other threads at any step. If not, a batch has its
            cores to itself and runs to its end, and its sequences should be of like length. If so, `parallel` is how
            many run at once, each hypothesis of a beam counted as one; as many more may run in the background, and as
            many more threads may be inside.
    """

    parallel: int
    supports_continuous_batching: bool

    def count_tokens(self, text: str) -> int:
        """Count the model tokens of `text` alone, without prompt or special tokens. Safe from any thread."""
        ...

    def translation_prompt(self, text: str, *, source: str, target: str) -> Prompt:
        """Build the prompt that translates one sentence from `source` to `target`. Safe from any thread.

        Raises:
            InputTooLongError: `text` has more tokens than the model translates at once.
        """
        ...

    def summary_prompt(self, text: str, *, language: str) -> Prompt:
        """Build the prompt that summarises `text` in `language`, its own language. Safe from any thread.

        Raises:
            InputTooLongError: `text` has more tokens than the model summarises at once.
        """
        ...

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, on_output: OutputCallback | None = None
    ) -> list[Output]:
        """Run one batch; one output per prompt, in the same order.

        A sequence may end before its batch: `on_output` is then called with its index among the prompts and
        its output, once, in any thread. Backends that cannot know do not call it.
        """
        ...

    def close(self) -> None:
        """Free the weights. Calling it twice is harmless; no other call may follow."""
        ...
