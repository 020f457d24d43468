"""How a batcher ends: on request, after a grace period, or because of a bug. Every future is resolved."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from kunnafoni.engine.batch_runner import Completion
from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.request_context import RequestContext
from kunnafoni.engine.scheduler_config import SchedulerConfig
from kunnafoni.errors import DrainingError
from tests.service.engine.fakes import FakeModel, FakeSequence, run, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG = SchedulerConfig(max_batch_tokens=100, max_batch_sequences=4, max_queue_tokens=10_000)


def test_shutdown_during_a_batch_resolves_every_future() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        context = RequestContext()
        work = [asyncio.create_task(batcher.submit(FakeSequence(str(number)), context=context)) for number in range(6)]
        await asyncio.sleep(0.5)
        assert batcher.stats().running_sequences == 4
        await batcher.close()
        results = await asyncio.gather(*work, return_exceptions=True)
        assert [type(result) for result in results] == [DrainingError] * 6
        with pytest.raises(DrainingError):
            await batcher.submit(FakeSequence("late"), context=context)
        await batcher.close()

    run(main())


def test_outputs_reported_after_shutdown_are_ignored() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(early_s={"early": 0.25, "late": 0.75}), CONFIG)
        context = RequestContext()
        work = [asyncio.create_task(batcher.submit(FakeSequence(text), context=context)) for text in ("late", "early")]
        await asyncio.sleep(0.5)
        await batcher.close()
        await asyncio.sleep(0.5)
        assert texts(await asyncio.gather(*work, return_exceptions=True)) == ["DrainingError", "<early>"]

    run(main())


def test_drain_finishes_what_it_can_within_the_grace_period() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), CONFIG)
        context = RequestContext()
        work = [asyncio.create_task(batcher.submit(FakeSequence(str(number)), context=context)) for number in range(12)]
        await asyncio.sleep(0)
        await batcher.drain(grace_s=2.5)
        assert asyncio.get_running_loop().time() == 2.5
        results = await asyncio.gather(*work, return_exceptions=True)
        assert texts(results) == [f"<{number}>" for number in range(8)] + ["DrainingError"] * 4

    run(main())


def test_while_draining_only_what_follows_from_admitted_requests_is_admitted() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), CONFIG)

        async def two_hops() -> str:
            with RequestContext() as context:
                first = await batcher.submit(FakeSequence("a"), context=context)
                await asyncio.sleep(0.5)  # work between two hops, such as a check
                return (await batcher.submit(FakeSequence(first.output), context=context)).output

        hops = asyncio.create_task(two_hops())
        await asyncio.sleep(0.5)
        draining = asyncio.create_task(batcher.drain(grace_s=10))
        await asyncio.sleep(0.1)
        with pytest.raises(DrainingError):
            await batcher.submit(FakeSequence("new"), context=RequestContext())
        assert await hops == "<<a>>"
        await draining
        assert asyncio.get_running_loop().time() < 3

    run(main())


@pytest.mark.parametrize(("parallel", "continuous_batching"), [(1, False), (2, False), (2, True)])
def test_a_bug_in_the_batcher_resolves_every_future(parallel: int, continuous_batching: bool) -> None:
    @dataclass(frozen=True)
    class Broken:
        text: str
        token_cost: int = 20
        slots: int = 1
        background: bool = False
        prompt_tokens: int = 10

        @property
        def batch_key(self) -> str:
            raise ZeroDivisionError

    async def model(sequences: Sequence[Broken], _: object) -> list[str]:
        await asyncio.sleep(10)
        return [sequence.text for sequence in sequences]

    async def main() -> None:
        batcher = Batcher(model, CONFIG, parallel=parallel, continuous_batching=continuous_batching)
        context = RequestContext()
        work = [asyncio.create_task(batcher.submit(Broken("alone, which asks for no group"), context=context))]
        await asyncio.sleep(1)
        work += [asyncio.create_task(batcher.submit(Broken(text), context=context)) for text in "ab"]
        results = await asyncio.gather(*work, return_exceptions=True)
        done = [ZeroDivisionError] if parallel == 2 else [Completion]
        assert [type(result) for result in results] == [*done, ZeroDivisionError, ZeroDivisionError]
        assert batcher.problem == "the batcher stopped: ZeroDivisionError"
        await batcher.close()

    run(main())
