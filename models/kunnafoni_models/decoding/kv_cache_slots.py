"""KVCacheSlots of a decoder, and who has them: rows, and of those that are searched by beams every hypothesis.

It chooses tokens and ends rows. It does not know texts, who waits for a row, or which thread it runs in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Protocol

import numpy as np

from kunnafoni_models.decoding.beam_search import Beam, Hypothesis
from kunnafoni_models.decoding.repetition import repeating
from kunnafoni_models.decoding.stop_condition import StopCondition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from kunnafoni_models.backend import Decoding
    from kunnafoni_models.decoding.beam_search import Child
    from kunnafoni_models.gemma.decoder import Scores

# A seat that is left keeps memory for rows up to so long; that of longer ones would pile up in seat after seat.
_KEPT = 192


class Decoder(Protocol):
    """What `GemmaDecoder` is; see there."""

    def read(self, first_seat: int, prompts: Sequence[Sequence[int]]) -> Scores:
        """Seat new rows."""
        ...

    def step(self, first_seat: int, tokens: Sequence[int], seen: Sequence[int]) -> Scores:
        """Read one token more of each of some rows."""
        ...

    def copy(self, source: int, target: int, first: int, seen: int) -> None:
        """Let one seat have read what another has."""
        ...

    def trim(self, seat: int, seen: int) -> None:
        """Give back what a seat keeps beyond so many tokens."""
        ...

    def free(self, first_seat: int, seats: int) -> None:
        """Give back what some seats keep."""
        ...

    def forget(self) -> None:
        """Give back all memory that can be."""
        ...


@dataclass(slots=True, eq=False)
class DecodingSequence:
    """One row, from its prompt to its end.

    Attributes:
        prompt: Token numbers.
        max_tokens: Its cap.
        decoding: How its answer is searched for; no token of the prompt is penalised or banned.
        ended: Called once, in the thread that runs the rows; must not fail.
        tokens: Of the answer, when it has ended, the end token not among them.
        capped: Whether it was stopped, at its cap or in a loop.
        error: Why it will have no answer.
        background: Whether others may overtake it.
        watch: Says when a greedy one must stop.
        beam: The search of one with beams; None if it is greedy.
    """

    prompt: Sequence[int]
    max_tokens: int
    decoding: Decoding
    ended: Callable[[DecodingSequence], object]
    background: bool = False
    tokens: Sequence[int] = ()
    capped: bool = False
    error: Exception | None = None
    watch: StopCondition = field(init=False)
    beam: Beam | None = field(init=False)

    def __post_init__(self) -> None:
        self.watch = StopCondition(self.max_tokens)
        self.beam = Beam(self.seats, self.max_tokens) if self.seats > 1 else None

    @property
    def positions(self) -> int:
        """Tokens at worst of one hypothesis, prompt and answer."""
        return len(self.prompt) + self.max_tokens

    @property
    def seats(self) -> int:
        """One for each hypothesis."""
        return self.decoding.beam_size

    @property
    def weight(self) -> int:
        """Tokens at worst of all hypotheses."""
        return self.positions * self.seats


@dataclass(slots=True)
class _Seat:
    """Who has it: a row, or one hypothesis of its beam."""

    row: DecodingSequence
    hypothesis: Hypothesis = field(default_factory=Hypothesis)

    @property
    def tokens(self) -> list[int]:
        return self.hypothesis.tokens

    @property
    def length(self) -> int:
        """Tokens of its prompt and of what it has said."""
        return len(self.row.prompt) + len(self.tokens)


class KVCacheSlots:
    """The seats that are taken, side by side from the first.

    Args:
        decoder: Nobody else may use these seats of it.
        first: Of the decoder's seats.
        end: The end token's number.
        seats: How many there are.
        positions: Most tokens of a row at worst.
    """

    def __init__(self, decoder: Decoder, *, first: int, end: int, seats: int, positions: int) -> None:
        self._decoder = decoder
        self._first = first
        self._end = end
        self._taken: list[_Seat] = []
        self._said = np.zeros((seats, positions), np.int64)

    def __len__(self) -> int:
        """How many are taken."""
        return len(self._taken)

    @property
    def weight(self) -> int:
        """Tokens at worst of whoever has them."""
        return sum(seat.row.positions for seat in self._taken)

    def read(self, rows: Sequence[DecodingSequence]) -> Scores:
        """Read the prompts of rows that are to take the next seats."""
        return self._decoder.read(self._first + len(self), [row.prompt for row in rows])

    def take(self, rows: Sequence[DecodingSequence], scores: Scores) -> None:
        """Seat rows whose prompts were read, which gave these scores."""
        first = len(self)
        self._taken += map(_Seat, rows)
        self._advance(first, scores)

    def step(self) -> None:
        """Each seat's next token; rows that are over are told, and leave."""
        last = [seat.tokens[-1] for seat in self._taken]
        seen = [seat.length - 1 for seat in self._taken]
        scores = self._decoder.step(self._first, last, seen)
        self._penalise(scores.values)
        self._advance(0, scores)

    def _penalise(self, scores: NDArray[np.float32]) -> None:
        """Of each seat the tokens that it has said; each place beyond its end names its first one again."""
        seats = np.arange(len(self._taken))[:, None]
        said = self._said[: len(seats), : max(len(seat.tokens) for seat in self._taken)]
        penalties = np.array([[seat.row.decoding.repetition_penalty] for seat in self._taken], np.float32)
        old = scores[seats, said]
        scores[seats, said] = np.where(old < 0, old * penalties, old / penalties)
        for number, seat in enumerate(self._taken):
            if size := seat.row.decoding.no_repeat_ngram_size:
                scores[number, repeating(seat.tokens, size)] = -np.inf

    def _advance(self, first: int, scores: Scores) -> None:
        """The next token of each seat from one on."""
        likeliest = scores.values.argmax(axis=1)
        over: list[int] = []
        beams: dict[DecodingSequence, tuple[Beam, list[int]]] = {}
        for number, seat in enumerate(self._taken[first:], first):
            if beam := seat.row.beam:
                beams.setdefault(seat.row, (beam, []))[1].append(number)
            elif self._say(number, int(likeliest[number - first])):
                over.append(number)
        for row, (beam, seats) in beams.items():
            seats.sort(key=self._rank)
            if self._search(row, beam, seats, scores.logits([number - first for number in seats])):
                over += seats
        self._leave(over)

    def _rank(self, number: int) -> tuple[float, list[int]]:
        """The order of hypotheses, wherever they sit: which of two equal ones goes on must not depend on company."""
        hypothesis = self._taken[number].hypothesis
        return -hypothesis.score, hypothesis.tokens

    def _say(self, number: int, token: int) -> bool:
        """The next token of a row; True if it is over."""
        seat, row = self._taken[number], self._taken[number].row
        if token != self._end:
            self._note(number, len(seat.tokens), token)
            seat.tokens.append(token)
            row.capped = row.watch.stop(token)
        row.tokens = seat.tokens
        return token == self._end or row.capped

    def _search(self, row: DecodingSequence, beam: Beam, seats: list[int], logits: NDArray[np.float32]) -> bool:
        """The next step of a beam; True if it is over."""
        children = beam.advance([self._taken[number].hypothesis for number in seats], logits, end=self._end)
        if children:
            self._succeed(row, seats, children)
            return False
        row.tokens = beam.best.tokens
        row.capped = len(row.tokens) == row.max_tokens
        return True

    def _succeed(self, row: DecodingSequence, seats: list[int], children: Sequence[Child]) -> None:
        """The first child of a hypothesis takes its seat, and each other one a seat that nobody takes, or a new one."""
        fresh = range(len(self._taken), len(self._taken) + len(children) - len(seats))
        parents = [seats[child.parent] for child in children]
        free = [number for number in (*seats, *fresh) if number not in parents]
        taken: dict[int, Hypothesis] = {}
        for parent, (_, hypothesis) in zip(parents, children, strict=True):
            number = free.pop() if parent in taken else parent
            if number != parent:
                alike = self._alike(number, parent) if number in seats else 0
                self._copy(parent, number, self._taken[parent], alike)
            taken[number] = hypothesis
        self._taken += (_Seat(row) for _ in fresh)
        for number, hypothesis in taken.items():
            self._note(number, len(hypothesis.tokens) - 1, hypothesis.tokens[-1])
            self._taken[number].hypothesis = hypothesis

    def _alike(self, number: int, other: int) -> int:
        """How many tokens two hypotheses of a beam have read alike."""
        pairs = zip(self._taken[number].tokens, self._taken[other].tokens, strict=True)
        return len(self._taken[number].row.prompt) + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    def _note(self, number: int, place: int, token: int) -> None:
        self._said[number, place or slice(None)] = token

    def _leave(self, over: Sequence[int]) -> None:
        """Free seats, tell the rows that had them, and let those in the last seats take them."""
        rows = dict.fromkeys(self._taken[number].row for number in over)
        stay = len(self) - len(over)
        free = [number for number in over if number < stay]
        moving = [number for number in range(stay, len(self)) if number not in over]
        long = [number for number in (*over, *moving) if self._taken[number].length > _KEPT]
        for source, target in zip(moving, free, strict=True):
            self._taken[target] = self._taken[source]
        del self._taken[stay:]
        try:
            for source, target in zip(moving, free, strict=True):
                self._copy(source, target, self._taken[target])
            for number in long:
                self._decoder.trim(self._first + number, max(_KEPT, self._taken[number].length if number < stay else 0))
        finally:
            for row in rows:
                row.ended(row)

    def _copy(self, source: int, target: int, seat: _Seat, first: int = 0) -> None:
        """Let a seat have read what another has, from a token on."""
        self._decoder.copy(self._first + source, self._first + target, first, seat.length)
        self._said[target] = self._said[source]

    def free(self) -> None:
        """Give back what the seats keep; none may be taken."""
        self._decoder.free(self._first, len(self._said))

    def clear(self) -> list[DecodingSequence]:
        """Free all seats and give the rows that had them."""
        rows = list(dict.fromkeys(seat.row for seat in self._taken))
        self._taken.clear()
        return rows
