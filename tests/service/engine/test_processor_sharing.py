"""Models that share the processor, in real time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kunnafoni.engine.request_context import RequestContext
from kunnafoni_models.backend import Backend, Decoding
from tests.service.engine.fake_backend import Upper, make_engines, prompt, submit

if TYPE_CHECKING:
    from kunnafoni.engine.engine_manager import EngineManager


async def test_a_backend_that_runs_one_batch_at_a_time_takes_the_whole_processor() -> None:
    engines = make_engines(parallel_batches=2)
    wide, narrow = Upper(parallel=2), Upper()
    engines.load("wide", wide)
    engines.load("narrow", narrow)
    await engines.wait()
    wide.gate.clear()
    first = asyncio.create_task(engines.engine("wide").submit(prompt("news"), Decoding(), context=RequestContext()))
    await asyncio.to_thread(wide.running.wait, 10)
    second = asyncio.create_task(engines.engine("narrow").submit(prompt("news"), Decoding(), context=RequestContext()))
    await asyncio.sleep(0.05)
    assert narrow.batches == [["warm"]]
    wide.gate.set()
    assert (await first).output == (await second).output
    await engines.close()


async def test_continuous_batching_holds_the_processor_until_another_model_waits() -> None:
    engines = make_engines(parallel_batches=2)
    joining, other = Upper(parallel=4, supports_continuous_batching=True), Upper()
    engines.load("joining", joining)
    engines.load("other", other)
    await engines.wait()
    joining.gate.clear()
    work = [submit(engines, "joining", "first")]
    await asyncio.to_thread(joining.running.wait, 10)
    work.append(submit(engines, "joining", "second"))
    while joining.inside < 2:  # noqa: ASYNC110 - the backend is in other threads
        await asyncio.sleep(0.01)
    work.append(submit(engines, "other", "third"))
    await asyncio.sleep(0.05)
    work.append(submit(engines, "joining", "fourth"))
    await asyncio.sleep(0.05)
    assert (joining.inside, other.batches) == (2, [["warm"]])
    joining.gate.set()
    assert [(await each).output.text for each in work] == ["FIRST", "SECOND", "THIRD", "FOURTH"]
    assert joining.batches == [["warm"], ["first"], ["second"], ["fourth"]]
    await engines.close()


async def test_models_share_the_processor_batch_by_batch(engines: EngineManager[Backend | Exception]) -> None:
    first, second = Upper(), Upper()
    engines.load("first", first)
    engines.load("second", second)
    await engines.wait()
    first.gate.clear()
    context = RequestContext()
    slow = asyncio.create_task(engines.engine("first").submit(prompt("news"), Decoding(), context=context))
    await asyncio.to_thread(first.running.wait, 10)
    waiting = asyncio.create_task(engines.engine("second").submit(prompt("news"), Decoding(), context=context))
    await asyncio.sleep(0.05)
    assert second.batches == [["warm"]]
    first.gate.set()
    assert (await slow).output == (await waiting).output
