"""What every backend meets: the protocol, its value types and its errors.

A backend turns text into model tokens and back and runs batches. It does not know who asks, how batches are formed,
where sentences end, or which languages a request names beyond the BCP-47 codes `en`, `fr` and `bm`.

    ModelError
    ├── CatalogError          a catalog entry is malformed or contradicts itself
    ├── ModelFileError        a file of the model is missing, corrupt or not what the catalog says
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
    """Anything that a model or its files can do wrong; the message names the file or limit and the remedy."""


class CatalogError(ModelError):
    """A catalog entry is malformed or contradicts itself."""


class ModelFileError(ModelError):
    """A file of the model is missing, corrupt or not what the catalog says."""


class ModelLoadError(ModelError):
    """The runtime cannot load the model: too little memory, an unknown architecture, no such device."""


class InputTooLongError(ModelError):
    """One text has more tokens than the model takes."""

    def __init__(self, tokens: int, max_tokens: int) -> None:
        super().__init__(f"the text has {tokens} tokens and the model takes {max_tokens}")
        self.tokens = tokens
        self.max_tokens = max_tokens


# Lower bounds; from the last one on every 16. Wider classes hold more company, and leave more of a prompt to be read
# token by token by a runtime that reads in one go what the shortest of a batch has. Few sentences have over 64 tokens,
# so those classes are wide; beyond 96 company is so rare that the lone prompt counts (by a simulation with measured
# times of a step, FLORES-200 dev, two cores, 2026-11-26).
_LENGTH_CLASSES = (0, 8, 16, 24, 32, 48, 64, 96)
# Prompts that can be filled up are never read token by token, so that fewer lengths do: every 16 up to this one, then
# every 32. Of five sets tried this gave most text a second (64 callers, FLORES-200 dev, two cores, 2026-11-27).
_FILLED_IN_SHORT_STEPS = 64


def filled_length(tokens: int) -> int:
    """The length that a prompt of so many tokens is filled up to; one of few, and no class has two of them."""
    step = 16 if tokens <= _FILLED_IN_SHORT_STEPS else 32
    return -(-tokens // step) * step


@dataclass(frozen=True, slots=True)
class Decoding:
    """How outputs are searched for; the default is greedy and deterministic.

    Attributes:
        beam_size: Hypotheses kept at each step; 1 is greedy.
        repetition_penalty: Divides the score of tokens already produced (Keskar et al. 2019, CTRL), and on CTranslate2
            of a few at the end of the prompt; 1.0 is off.
        no_repeat_ngram_size: No n-gram of this many tokens is produced twice; 0 is off.
    """

    beam_size: int = 1
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0


@dataclass(frozen=True, slots=True)
class Prompt:
    """One row of a batch, made by a backend and opaque to everyone else but for its sizes and its `background`.

    Attributes:
        tokens: What the model reads, in its own token strings.
        max_output_tokens: The row's output cap; an output that reaches it has `reached_cap` set.
        target_prefix: First tokens forced on the output of an encoder-decoder model (its language code); not counted
            in the output.
        background: Whether others may overtake it where rows join. It decides no answer, so that the representation,
            by which answers are remembered, leaves it out.
    """

    tokens: tuple[str, ...]
    max_output_tokens: int
    target_prefix: tuple[str, ...] = ()
    background: bool = field(default=False, repr=False)

    @property
    def length_bucket(self) -> int:
        """The length rounded down; prompts of one class share batches (see `_LENGTH_CLASSES`)."""
        length = len(self.tokens)
        if length >= _LENGTH_CLASSES[-1]:
            return length - length % 16
        return _LENGTH_CLASSES[bisect_right(_LENGTH_CLASSES, length) - 1]


@dataclass(frozen=True, slots=True)
class Output:
    """What the model answered to one prompt.

    Attributes:
        text: The answer without special tokens and without leading or trailing white space.
        tokens: How many tokens were produced, the end token not counted.
        reached_cap: True if the answer stopped at `max_output_tokens` instead of at the model's own end.
    """

    text: str
    tokens: int
    reached_cap: bool


# Called with a row's place in its batch and its output.
OutputCallback = Callable[[int, Output], object]


class Backend(Protocol):
    """A loaded model. Its methods are blocking.

    Attributes:
        parallel: How many threads at a time may be inside `generate`.
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
