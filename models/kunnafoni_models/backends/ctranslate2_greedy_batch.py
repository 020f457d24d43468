"""Watches the sequences of a greedy batch on CTranslate2 token by token: when each must stop, and when it has finished.

It knows output caps and loops. It does not know which model runs, or how batches are formed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from kunnafoni_models.backend import Output
from kunnafoni_models.decoding.stop_condition import StopCondition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kunnafoni_models.backend import OutputCallback, Prompt

TokenT = TypeVar("TokenT")


class Step(Protocol):
    """What CTranslate2 passes to the callback for each token.

    Attributes:
        batch_id: Index of the sequence in the batch.
        step: Index of the token; the forced tokens of `target_prefix` count.
        is_last: True for the end token, and at the length at which CTranslate2 itself stops.
    """

    batch_id: int
    step: int
    token_id: int
    token: str
    is_last: bool


@dataclass(slots=True)
class _Sequence(Generic[TokenT]):
    index: int
    prompt: Prompt
    stop_condition: StopCondition = field(init=False)
    tokens: list[TokenT] = field(default_factory=list[TokenT])

    def __post_init__(self) -> None:
        self.stop_condition = StopCondition(self.prompt.max_output_tokens)


class GreedyBatchCallback(Generic[TokenT]):
    """The callback of one batch; CTranslate2 calls it in a thread of its own.

    Run the batch with `max_length` as its length limit. It is greater than every cap, so that only the end token is a
    last token.

    Args:
        prompts: By index, in the order of the batch. What the batch holds beyond them is stopped at once.
        token_of: Returns the token of a step in the form that `decode` takes.
        decode: Joins the tokens of an output into a text.
        on_output: See `Backend.generate`.

    Attributes:
        max_length: See above; forced tokens count.
        outputs: The outputs of the sequences that have finished so far, by index.
    """

    def __init__(
        self,
        prompts: Mapping[int, Prompt],
        *,
        token_of: Callable[[Step], TokenT],
        decode: Callable[[Sequence[TokenT]], str],
        on_output: OutputCallback | None,
    ) -> None:
        self.outputs: dict[int, Output] = {}
        self.max_length = 1 + max(len(prompt.target_prefix) + prompt.max_output_tokens for prompt in prompts.values())
        self._sequences = [_Sequence[TokenT](index, prompt) for index, prompt in prompts.items()]
        self._token_of = token_of
        self._decode = decode
        self._on_output = on_output

    def __call__(self, step: Step) -> bool:
        """Take the next token of a sequence; True if the sequence must stop."""
        if step.batch_id >= len(self._sequences):
            return True
        sequence = self._sequences[step.batch_id]
        if step.step < len(sequence.prompt.target_prefix):
            return False
        if not step.is_last:
            sequence.tokens.append(self._token_of(step))
        finished = step.is_last or sequence.stop_condition.stops_at(step.token_id)
        if finished:
            self._finish(sequence)
        return finished

    def _finish(self, sequence: _Sequence[TokenT]) -> None:
        tokens = len(sequence.tokens)
        reached_cap = sequence.stop_condition.looped or tokens >= sequence.prompt.max_output_tokens
        output = self.outputs[sequence.index] = Output(self._decode(sequence.tokens), tokens, reached_cap)
        if self._on_output:
            self._on_output(sequence.index, output)
