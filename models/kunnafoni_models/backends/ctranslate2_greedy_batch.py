"""The rows of a greedy batch on CTranslate2, watched as their tokens come: when each must stop, and when it has ended.

It knows caps and loops. It does not know which model runs, or how batches come about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from kunnafoni_models.backend import Output
from kunnafoni_models.decoding.stop_condition import StopCondition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kunnafoni_models.backend import OutputCallback, Prompt

PieceT = TypeVar("PieceT")


class Step(Protocol):
    """What CTranslate2 tells the callback of each token.

    Attributes:
        step: Counts the forced tokens of `target_prefix` too.
        is_last: True for the end token, and at the length at which CTranslate2 itself stops.
    """

    batch_id: int
    step: int
    token_id: int
    token: str
    is_last: bool


@dataclass(slots=True)
class _Row(Generic[PieceT]):
    number: int
    prompt: Prompt
    watch: StopCondition = field(init=False)
    pieces: list[PieceT] = field(default_factory=list[PieceT])

    def __post_init__(self) -> None:
        self.watch = StopCondition(self.prompt.max_output_tokens)


class GreedyBatchCallback(Generic[PieceT]):
    """The callback of one batch, called in a thread of CTranslate2's.

    Give the batch a greater length than any cap, `max_length`, so that the last token is the end token and no other.

    Args:
        prompts: By row number, in the order of the batch. Whatever the batch holds beyond them is stopped at once.
        piece: What of a token `text` takes.
        text: Puts an answer together.
        on_output: See `Backend.generate`.

    Attributes:
        max_length: See above; forced tokens count.
        outputs: What has ended so far, by row number.
    """

    def __init__(
        self,
        prompts: Mapping[int, Prompt],
        *,
        piece: Callable[[Step], PieceT],
        text: Callable[[Sequence[PieceT]], str],
        on_output: OutputCallback | None,
    ) -> None:
        self.outputs: dict[int, Output] = {}
        self.max_length = 1 + max(len(each.target_prefix) + each.max_output_tokens for each in prompts.values())
        self._rows = [_Row[PieceT](*each) for each in prompts.items()]
        self._piece = piece
        self._text = text
        self._on_output = on_output

    def __call__(self, step: Step) -> bool:
        """Take the next token of a row; True if it must stop."""
        if step.batch_id >= len(self._rows):
            return True
        row = self._rows[step.batch_id]
        if step.step < len(row.prompt.target_prefix):
            return False
        if not step.is_last:
            row.pieces.append(self._piece(step))
        ended = step.is_last or row.watch.stop(step.token_id)
        if ended:
            self._end(row)
        return ended

    def _end(self, row: _Row[PieceT]) -> None:
        tokens = len(row.pieces)
        reached_cap = row.watch.looped or tokens >= row.prompt.max_output_tokens
        output = self.outputs[row.number] = Output(self._text(row.pieces), tokens, reached_cap)
        if self._on_output:
            self._on_output(row.number, output)
