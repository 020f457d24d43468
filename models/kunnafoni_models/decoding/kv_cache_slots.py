"""The KV-cache slots of a decoder, and which sequence occupies each: one slot per sequence, or per beam hypothesis.

It chooses the next tokens and finishes sequences. It does not know texts, waiting sequences, or in which thread it
runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol

import numpy as np

from kunnafoni_models.decoding.beam_search import Hypothesis
from kunnafoni_models.decoding.repetition import banned_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from kunnafoni_models.decoding.beam_search import Beam, Continuation
    from kunnafoni_models.decoding.sequence import DecodingSequence
    from kunnafoni_models.gemma.decoder import Scores

# A slot that is left keeps the memory of so many tokens. Memory of longer sequences would pile up in slot after slot.
_KEPT_TOKENS = 192


class Decoder(Protocol):
    """A model with a KV cache; `GemmaDecoder` explains the methods."""

    def prefill(self, first_slot: int, prompts: Sequence[Sequence[int]]) -> Scores:
        """Read prompts into adjacent slots."""
        ...

    def decode_step(self, first_slot: int, tokens: Sequence[int], cached_tokens: Sequence[int]) -> Scores:
        """Read one more token in each of adjacent slots."""
        ...

    def copy_slot(self, source: int, target: int, *, start: int, stop: int) -> None:
        """Copy the keys and values of some positions from one slot to another."""
        ...

    def trim_slot(self, slot: int, kept_tokens: int) -> None:
        """Release the memory of a slot beyond so many tokens."""
        ...

    def release_slots(self, first_slot: int, slots: int) -> None:
        """Release the memory of adjacent slots."""
        ...

    def release_memory(self) -> None:
        """Release all memory that can be released."""
        ...


@dataclass(slots=True)
class _Slot:
    """What occupies a slot: a sequence, or one hypothesis of its beam."""

    sequence: DecodingSequence
    hypothesis: Hypothesis = field(default_factory=Hypothesis)

    @property
    def tokens(self) -> list[int]:
        """Of the output so far."""
        return self.hypothesis.tokens

    @property
    def length(self) -> int:
        """Tokens of the prompt and of the output so far."""
        return len(self.sequence.prompt) + len(self.tokens)


class KVCacheSlots:
    """The occupied slots, adjacent from the first.

    Args:
        decoder: Nobody else may use these slots of it.
        first: The first of these slots among the decoder's.
        slots: How many slots there are.
        max_length: Most tokens of a sequence, prompt and output together.
        end_id: Id of the end token.
    """

    def __init__(self, decoder: Decoder, *, first: int, slots: int, max_length: int, end_id: int) -> None:
        self._decoder = decoder
        self._first = first
        self._end_id = end_id
        self._occupied: list[_Slot] = []
        # Token ids of the output in each slot; places beyond its length repeat its first token.
        self._output_ids = np.zeros((slots, max_length), np.int64)

    def __len__(self) -> int:
        """How many slots are occupied."""
        return len(self._occupied)

    @property
    def max_cached_tokens(self) -> int:
        """Most tokens that the occupied slots may come to hold."""
        return sum(slot.sequence.max_length for slot in self._occupied)

    def prefill(self, sequences: Sequence[DecodingSequence]) -> Scores:
        """Read the prompts of sequences that are to occupy the next slots."""
        return self._decoder.prefill(self._first + len(self), [sequence.prompt for sequence in sequences])

    def add(self, sequences: Sequence[DecodingSequence], scores: Scores) -> None:
        """Let sequences occupy the next slots after their `prefill`, which returned these scores."""
        first = len(self)
        self._occupied += map(_Slot, sequences)
        self._advance(first, scores)

    def decode_step(self) -> None:
        """Produce the next token in each occupied slot; sequences that finish leave their slots."""
        last_ids = [slot.tokens[-1] for slot in self._occupied]
        cached_tokens = [slot.length - 1 for slot in self._occupied]
        scores = self._decoder.decode_step(self._first, last_ids, cached_tokens)
        self._penalise(scores.values)
        self._advance(0, scores)

    def _penalise(self, scores: NDArray[np.float32]) -> None:
        """Apply the repetition penalty and the n-gram ban to the scores, slots x vocabulary, in place."""
        slots = np.arange(len(self._occupied))[:, None]
        ids = self._output_ids[: len(slots), : max(len(slot.tokens) for slot in self._occupied)]
        penalties = np.array([[slot.sequence.decoding.repetition_penalty] for slot in self._occupied], np.float32)
        old = scores[slots, ids]
        scores[slots, ids] = np.where(old < 0, old * penalties, old / penalties)
        for index, slot in enumerate(self._occupied):
            if ngram_size := slot.sequence.decoding.no_repeat_ngram_size:
                scores[index, banned_tokens(slot.tokens, ngram_size)] = -np.inf

    def _advance(self, first: int, scores: Scores) -> None:
        """Choose the next token in each slot from `first` on; `scores` begin with that slot."""
        likeliest = scores.values.argmax(axis=1)
        finished: list[int] = []
        beams: dict[DecodingSequence, tuple[Beam, list[int]]] = {}
        for index, slot in enumerate(self._occupied[first:], first):
            if beam := slot.sequence.beam:
                beams.setdefault(slot.sequence, (beam, []))[1].append(index)
            elif self._append(index, int(likeliest[index - first])):
                finished.append(index)
        for sequence, (beam, slots) in beams.items():
            slots.sort(key=self._rank)
            if self._advance_beam(sequence, beam, slots, scores.logits([index - first for index in slots])):
                finished += slots
        self._vacate(finished)

    def _rank(self, index: int) -> tuple[float, list[int]]:
        """Order of hypotheses, independent of their slots: other sequences must not decide which of two equals wins."""
        hypothesis = self._occupied[index].hypothesis
        return -hypothesis.score, hypothesis.tokens

    def _append(self, index: int, token_id: int) -> bool:
        """Append the next token of a greedy sequence; True if it has finished."""
        slot, sequence = self._occupied[index], self._occupied[index].sequence
        if token_id != self._end_id:
            self._record(index, len(slot.tokens), token_id)
            slot.tokens.append(token_id)
            sequence.cut_short = sequence.stop_condition.stops_at(token_id)
        sequence.output = slot.tokens
        return token_id == self._end_id or sequence.cut_short

    def _advance_beam(
        self, sequence: DecodingSequence, beam: Beam, slots: list[int], logits: NDArray[np.float32]
    ) -> bool:
        """Take the next step of a beam search; True if it is over."""
        hypotheses = [self._occupied[index].hypothesis for index in slots]
        if continuations := beam.advance(hypotheses, logits, end_id=self._end_id):
            self._replace_hypotheses(sequence, slots, continuations)
            return False
        sequence.output = beam.best.tokens
        sequence.cut_short = len(sequence.output) == sequence.max_output_tokens
        return True

    def _replace_hypotheses(
        self, sequence: DecodingSequence, slots: list[int], continuations: Sequence[Continuation]
    ) -> None:
        """Put continuations into slots: the first one of a hypothesis into its slot, others into free or new slots."""
        new = range(len(self._occupied), len(self._occupied) + len(continuations) - len(slots))
        parents = [slots[continuation.parent] for continuation in continuations]
        free = [index for index in (*slots, *new) if index not in parents]
        placed: dict[int, Hypothesis] = {}
        for parent, (_, hypothesis) in zip(parents, continuations, strict=True):
            index = free.pop() if parent in placed else parent
            if index != parent:
                shared = self._shared_prefix(index, parent) if index in slots else 0
                self._copy(parent, index, self._occupied[parent], shared)
            placed[index] = hypothesis
        self._occupied += (_Slot(sequence) for _ in new)
        for index, hypothesis in placed.items():
            self._record(index, len(hypothesis.tokens) - 1, hypothesis.tokens[-1])
            self._occupied[index].hypothesis = hypothesis

    def _shared_prefix(self, index: int, other: int) -> int:
        """How many tokens two hypotheses of one beam have in common, from the prompt's first one on."""
        pairs = zip(self._occupied[index].tokens, self._occupied[other].tokens, strict=True)
        prompt = len(self._occupied[index].sequence.prompt)
        return prompt + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def _record(self, index: int, place: int, token_id: int) -> None:
        """Remember an output token for the repetition penalty; the first one fills all places."""
        self._output_ids[index, place or slice(None)] = token_id

    def _vacate(self, finished: Sequence[int]) -> None:
        """Vacate the slots of finished sequences, and move the sequences of the last slots into the gaps."""
        sequences = dict.fromkeys(self._occupied[index].sequence for index in finished)
        remaining = len(self) - len(finished)
        gaps = [index for index in finished if index < remaining]
        moving = [index for index in range(remaining, len(self)) if index not in finished]
        long = [index for index in (*finished, *moving) if self._occupied[index].length > _KEPT_TOKENS]
        for source, target in zip(moving, gaps, strict=True):
            self._occupied[target] = self._occupied[source]
        del self._occupied[remaining:]
        try:
            for source, target in zip(moving, gaps, strict=True):
                self._copy(source, target, self._occupied[target])
            for index in long:
                length = self._occupied[index].length if index < remaining else 0
                self._decoder.trim_slot(self._first + index, max(_KEPT_TOKENS, length))
        finally:
            for sequence in sequences:
                sequence.on_finished(sequence)

    def _copy(self, source: int, target: int, slot: _Slot, start: int = 0) -> None:
        """Copy what a slot has cached, from token `start` on, and the output tokens."""
        self._decoder.copy_slot(self._first + source, self._first + target, start=start, stop=slot.length)
        self._output_ids[target] = self._output_ids[source]

    def release_memory(self) -> None:
        """Release the memory of the slots; none of them may be occupied."""
        self._decoder.release_slots(self._first, len(self._output_ids))

    def clear(self) -> list[DecodingSequence]:
        """Vacate all slots and return the sequences that occupied them."""
        sequences = list(dict.fromkeys(slot.sequence for slot in self._occupied))
        self._occupied.clear()
        return sequences
