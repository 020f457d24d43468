"""A sequence in decoding: its prompt, how its output is searched for, and its output once it has finished.

It knows token ids. It does not know texts, KV-cache slots, or the other sequences of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kunnafoni_models.decoding.beam_search import Beam
from kunnafoni_models.decoding.stop_condition import StopCondition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kunnafoni_models.backend import Decoding


@dataclass(slots=True, eq=False)
class DecodingSequence:
    """One sequence, from its prompt to its last token. Compared by identity.

    Attributes:
        prompt: Token ids.
        max_output_tokens: The output cap.
        decoding: How the output is searched for; no token of the prompt is penalised or banned.
        on_finished: Called once, in the thread that runs the sequences; must not raise.
        background: Whether other sequences may overtake it.
        output: Token ids of the output once it has finished, the end token not among them.
        cut_short: Whether it was stopped at its cap or in a loop.
        error: Why it has no output; None if it has one.
        stop_condition: Says when a greedy sequence must stop.
        beam: The beam search; None if the decoding is greedy.
    """

    prompt: Sequence[int]
    max_output_tokens: int
    decoding: Decoding
    on_finished: Callable[[DecodingSequence], object]
    background: bool = False
    output: Sequence[int] = ()
    cut_short: bool = False
    error: Exception | None = None
    stop_condition: StopCondition = field(init=False)
    beam: Beam | None = field(init=False)

    def __post_init__(self) -> None:
        self.stop_condition = StopCondition(self.max_output_tokens)
        self.beam = Beam(self.slots, self.max_output_tokens) if self.slots > 1 else None

    @property
    def max_length(self) -> int:
        """Most tokens of one hypothesis, prompt and output together."""
        return len(self.prompt) + self.max_output_tokens

    @property
    def slots(self) -> int:
        """KV-cache slots that it needs: one per hypothesis."""
        return self.decoding.beam_size

    @property
    def max_cached_tokens(self) -> int:
        """Most tokens that all its hypotheses may come to hold in the KV cache."""
        return self.max_length * self.slots

    def fail(self, error: Exception) -> None:
        """Finish it with an error instead of an output."""
        self.error = error
        self.on_finished(self)
