"""How a batcher ends: told to, after a period of grace, or by a bug. Nobody is left waiting."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.caller import Caller
from kunnafoni.engine.policy import Policy
from kunnafoni.engine.runner import Answer
from kunnafoni.errors import DrainingError
from tests.service.engine.fakes import FakeModel, FakeRow, run, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

POLICY = Policy(batch_tokens=100, batch_rows=4, queue_tokens=10_000)


def test_shutdown_in_mid_batch_resolves_everybody() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, POLICY)
        caller = Caller()
        work = [asyncio.create_task(batcher.submit(FakeRow(str(number)), caller=caller)) for number in range(6)]
        await asyncio.sleep(0.5)
        assert batcher.stats().running_rows == 4
        await batcher.close()
        results = await asyncio.gather(*work, return_exceptions=True)
        assert [type(result) for result in results] == [DrainingError] * 6
        with pytest.raises(DrainingError):
            await batcher.submit(FakeRow("late"), caller=caller)
        await batcher.close()

    run(main())


def test_what_a_model_tells_of_a_row_after_shutdown_is_nobodys() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(early_s={"early": 0.25, "late": 0.75}), POLICY)
        caller = Caller()
        work = [asyncio.create_task(batcher.submit(FakeRow(text), caller=caller)) for text in ("late", "early")]
        await asyncio.sleep(0.5)
        await batcher.close()
        await asyncio.sleep(0.5)
        assert texts(await asyncio.gather(*work, return_exceptions=True)) == ["DrainingError", "<early>"]

    run(main())


def test_drain_finishes_what_it_can_within_the_grace_period() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), POLICY)
        caller = Caller()
        work = [asyncio.create_task(batcher.submit(FakeRow(str(number)), caller=caller)) for number in range(12)]
        await asyncio.sleep(0)
        await batcher.drain(grace_s=2.5)
        assert asyncio.get_running_loop().time() == 2.5
        results = await asyncio.gather(*work, return_exceptions=True)
        assert texts(results) == [f"<{number}>" for number in range(8)] + ["DrainingError"] * 4

    run(main())


def test_while_draining_only_what_follows_from_admitted_rows_gets_in() -> None:
    async def main() -> None:
        batcher = Batcher(FakeModel(), POLICY)

        async def two_hops() -> str:
            with Caller() as caller:
                first = await batcher.submit(FakeRow("a"), caller=caller)
                await asyncio.sleep(0.5)  # what lies between two hops, like a check, takes its time
                return (await batcher.submit(FakeRow(first.output), caller=caller)).output

        hops = asyncio.create_task(two_hops())
        await asyncio.sleep(0.5)
        draining = asyncio.create_task(batcher.drain(grace_s=10))
        await asyncio.sleep(0.1)
        with pytest.raises(DrainingError):
            await batcher.submit(FakeRow("new"), caller=Caller())
        assert await hops == "<<a>>"
        await draining
        assert asyncio.get_running_loop().time() < 3

    run(main())


@pytest.mark.parametrize(("parallel", "continuous_batching"), [(1, False), (2, False), (2, True)])
def test_a_bug_in_the_batcher_leaves_nobody_waiting(parallel: int, continuous_batching: bool) -> None:
    @dataclass(frozen=True)
    class Broken:
        text: str
        weight: int = 20
        seats: int = 1
        background: bool = False
        length: int = 10

        @property
        def group(self) -> str:
            raise ZeroDivisionError

    async def model(rows: Sequence[Broken], _: object) -> list[str]:
        await asyncio.sleep(10)
        return [row.text for row in rows]

    async def main() -> None:
        batcher = Batcher(model, POLICY, parallel=parallel, continuous_batching=continuous_batching)
        caller = Caller()
        work = [asyncio.create_task(batcher.submit(Broken("alone, which asks for no group"), caller=caller))]
        await asyncio.sleep(1)
        work += [asyncio.create_task(batcher.submit(Broken(text), caller=caller)) for text in "ab"]
        results = await asyncio.gather(*work, return_exceptions=True)
        done = [ZeroDivisionError] if parallel == 2 else [Answer]
        assert [type(result) for result in results] == [*done, ZeroDivisionError, ZeroDivisionError]
        assert batcher.problem == "the batcher stopped: ZeroDivisionError"
        await batcher.close()

    run(main())
