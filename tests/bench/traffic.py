"""What the load benchmarks send, and how: requests made of FLORES-200 dev, callers that wait or do not, their times.

It knows the wire and no server: any address that serves `TranslationService.Translate` will do.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from itertools import permutations
from math import ceil
from typing import TYPE_CHECKING

import grpc

from kunnafoni.v1 import translation_pb2, translation_pb2_grpc
from tests.bench.quality import read_flores

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

PAIRS: tuple[tuple[str, str], ...] = tuple(permutations(("en", "fr", "bm"), 2))
ALL_LINES = 10_000
# One request in five is an article. With 8 sentences that is two sentences in three, as the wire of a newsroom has it.
ARTICLE_SENTENCES = 8
REQUESTS_AN_ARTICLE = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request ended. `code` is None if it was answered; `latency_s` is until the answer or the refusal."""

    characters: int
    latency_s: float
    code: grpc.StatusCode | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """The outcomes of many requests and how long it took from the first request to the last answer."""

    outcomes: tuple[Outcome, ...]
    elapsed_s: float

    @property
    def answered(self) -> list[Outcome]:
        """Those that were answered."""
        return [outcome for outcome in self.outcomes if outcome.code is None]

    @property
    def characters_per_s(self) -> float:
        """Source characters of the answered requests a second."""
        return sum(outcome.characters for outcome in self.answered) / self.elapsed_s

    def latency_s(self, percentile: int) -> float:
        """A percentile of the answered requests' latency, by nearest rank."""
        latencies = sorted(outcome.latency_s for outcome in self.answered)
        return latencies[ceil(len(latencies) * percentile / 100) - 1]


class Traffic:
    """Deals out requests; no sentence of one direction comes twice before all have come once."""

    def __init__(self, shared: Path, *, seed: int = 4) -> None:
        """Read the texts below the folder `shared`; one seed gives one sequence of requests."""
        rows = read_flores(shared / "eval" / "flores200" / "dev.tsv", ALL_LINES)
        cards = [(row, pair) for pair in PAIRS for row in rows]
        self._random = random.Random(seed)
        self._random.shuffle(cards)
        self._piles = {pair: [row[pair[0]] for row, of in cards if of == pair] for pair in PAIRS}
        self._dealt = dict.fromkeys(PAIRS, 0)

    def requests(self, number: int) -> list[translation_pb2.TranslateRequest]:
        """The next requests, of mixed length and direction."""
        sizes = [ARTICLE_SENTENCES if n % REQUESTS_AN_ARTICLE == 0 else 1 for n in range(number)]
        self._random.shuffle(sizes)
        return [self.request(size) for size in sizes]

    def request(self, sentences: int, pair: tuple[str, str] | None = None) -> translation_pb2.TranslateRequest:
        """The next request; its one content is a paragraph of so many lines of FLORES."""
        source, target = pair or self._random.choice(PAIRS)
        return translation_pb2.TranslateRequest(
            contents=[" ".join(self._deal((source, target), sentences))],
            source_language_code=source,
            target_language_code=target,
        )

    def rewind(self) -> None:
        """Deal the same sentences once more."""
        self._dealt = dict.fromkeys(PAIRS, 0)

    def pauses_s(self, rate: float) -> Iterable[float]:
        """Times between the arrivals of a Poisson process of `rate` a second, without end."""
        while True:
            yield self._random.expovariate(rate)

    def _deal(self, pair: tuple[str, str], number: int) -> list[str]:
        pile, start = self._piles[pair], self._dealt[pair]
        self._dealt[pair] += number
        return [pile[n % len(pile)] for n in range(start, start + number)]


def characters(request: translation_pb2.TranslateRequest) -> int:
    """Length of what is to be translated."""
    return sum(map(len, request.contents))


class Callers:
    """Sends requests to one server."""

    def __init__(self, address: str) -> None:
        """Connect to `address` when first used; without retries, which would hide refusals."""
        self._channel = grpc.aio.insecure_channel(address, options=[("grpc.enable_retries", 0)])
        self._stub = translation_pb2_grpc.TranslationServiceStub(self._channel)

    async def call(self, request: translation_pb2.TranslateRequest) -> Outcome:
        """Send one request and wait for its end."""
        code, text, began_s = None, "", time.monotonic()
        try:
            text = "\n".join(each.text for each in (await self._stub.Translate(request)).translations)
        except grpc.aio.AioRpcError as error:
            code = error.code()
        return Outcome(characters(request), time.monotonic() - began_s, code, text)

    async def closed(self, requests: Sequence[translation_pb2.TranslateRequest], callers: int) -> Load:
        """So many callers take the requests from one list, each sends its next when the last is answered."""
        rest, outcomes = iter(requests), list[Outcome]()

        async def caller() -> None:
            for request in rest:
                outcomes.append(await self.call(request))

        began_s = time.monotonic()
        await asyncio.gather(*(caller() for _ in range(callers)))
        return Load(tuple(outcomes), time.monotonic() - began_s)

    async def open(self, traffic: Traffic, *, rate: float, duration_s: float) -> Load:
        """Requests arrive at `rate` a second for so long, whether or not those before them are answered."""
        began_s = time.monotonic()
        calls: list[asyncio.Task[Outcome]] = []
        requests = traffic.requests(round(rate * duration_s))
        due_s = began_s
        for request, pause_s in zip(requests, traffic.pauses_s(rate), strict=False):
            due_s += pause_s
            await asyncio.sleep(due_s - time.monotonic())
            calls.append(asyncio.create_task(self.call(request)))
        outcomes = tuple(await asyncio.gather(*calls))
        return Load(outcomes, time.monotonic() - began_s)

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()
