"""Loaded models at work in their own threads, in real time, on a backend that is made for this."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kunnafoni.engine.engine_manager import EngineManager, ModelState, ModelStatus
from kunnafoni.engine.request_context import Priority, RequestContext
from kunnafoni.engine.scheduler_config import SchedulerConfig
from kunnafoni.errors import DrainingError, LoadingError, ModelChangedError, NotFoundError
from kunnafoni_models.backend import Decoding, ModelFileError
from tests.service.engine.fake_backend import Upper, make_engines, prompt, submit

if TYPE_CHECKING:
    from kunnafoni_models.backend import Backend


async def test_a_model_is_ready_when_it_is_warm(engines: EngineManager[Backend | Exception]) -> None:
    backend = Upper()
    backend.gate.clear()
    engines.load("upper", backend)
    assert engines.statuses() == {"upper": ModelStatus(ModelState.LOADING)}
    with pytest.raises(LoadingError):
        engines.engine("upper")
    with pytest.raises(ValueError, match="upper"):
        engines.load("upper", backend)
    backend.gate.set()
    await engines.wait()
    assert engines.statuses() == {"upper": ModelStatus(ModelState.READY)}
    assert backend.batches == [["warm"]]


async def test_a_model_runs_in_its_own_thread(engines: EngineManager[Backend | Exception]) -> None:
    backend = Upper()
    engines.load("upper", backend)
    await engines.wait()
    engine = engines.engine("upper")
    texts = [f"news {number}" for number in range(100)]
    with RequestContext() as context:
        answers = await asyncio.gather(*(engine.submit(prompt(text), Decoding(), context=context) for text in texts))
    assert [answer.output.text for answer in answers] == [text.upper() for text in texts]
    assert backend.threads == {"model-upper_0"}
    assert len(backend.batches) < 10
    assert engine.stats().batcher.sequences == 100
    assert engine.stats().cache is None


async def test_a_model_that_fails_leaves_the_others_alone(
    engines: EngineManager[Backend | Exception], caplog: pytest.LogCaptureFixture
) -> None:
    engines.load("broken", ModelFileError("broken: weights.01 is missing"))
    engines.load("upper", Upper())
    await engines.wait()
    [record] = caplog.records
    assert record.getMessage() == "the model broken cannot be loaded: weights.01 is missing"
    assert not record.exc_info
    assert engines.statuses() == {
        "broken": ModelStatus(ModelState.FAILED, "weights.01 is missing"),
        "upper": ModelStatus(ModelState.READY),
    }
    with pytest.raises(ModelChangedError):
        engines.engine("broken")
    with pytest.raises(ModelChangedError):
        engines.engine("unknown")
    await engines.unload("broken")
    engines.load("broken", Upper())
    await engines.wait()
    assert engines.statuses()["broken"] == ModelStatus(ModelState.READY)


async def test_a_model_that_cannot_be_warmed_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    backend = Upper()
    engines = EngineManager[Upper](
        lambda entry: entry, warm_up=lambda _, __: prompt("stop"), config=SchedulerConfig(), cache_bytes=0
    )
    engines.load("upper", backend)
    await engines.wait()
    assert engines.statuses()["upper"].state is ModelState.FAILED
    assert "Traceback" in caplog.text, "it is a bug"
    assert backend.closed == 1
    await engines.close()


async def test_recent_outputs_are_cached() -> None:
    engines = make_engines(cache_bytes=100_000)
    backend = Upper()
    engines.load("upper", backend)
    await engines.wait()
    engine = engines.engine("upper")
    context = RequestContext()
    first = await engine.submit(prompt("news"), Decoding(), context=context)
    again = await engine.submit(prompt("news"), Decoding(), context=context)
    other = await engine.submit(prompt("news"), Decoding(beam_size=2), context=context)
    assert [answer.cached for answer in (first, again, other)] == [False, True, False]
    assert again.output == first.output
    assert again.queue_ms == again.inference_ms == 0
    assert backend.batches == [["warm"], ["news"], ["news"]]
    stats = engine.stats().cache
    assert stats
    assert (stats.hits, stats.misses, stats.entries) == (1, 2, 2)
    await engines.close()


async def test_a_backend_that_raises_stop_iteration_resolves_its_future(
    engines: EngineManager[Backend | Exception],
) -> None:
    engines.load("upper", Upper())
    await engines.wait()
    with pytest.raises(RuntimeError, match="StopIteration"):
        await engines.engine("upper").submit(prompt("stop"), Decoding(), context=RequestContext())


async def test_unloading_waits_for_the_batch_on_the_model_and_no_longer(
    engines: EngineManager[Backend | Exception],
) -> None:
    backend = Upper()
    engines.load("upper", backend)
    await engines.wait()
    engine = engines.engine("upper")
    backend.gate.clear()
    work = asyncio.create_task(engine.submit(prompt("news"), Decoding(), context=RequestContext()))
    await asyncio.to_thread(backend.running.wait, 10)
    unloading = engines.unload("upper")
    with pytest.raises(DrainingError):
        await work
    with pytest.raises(ModelChangedError):
        engines.engine("upper")
    assert not backend.closed
    backend.gate.set()
    await unloading
    assert backend.closed == 1
    with pytest.raises(NotFoundError):
        await engines.unload("upper")


async def test_a_model_that_runs_two_batches_at_once_is_closed_when_both_are_done() -> None:
    engines, backend = make_engines(parallel_batches=2), Upper(parallel=2)
    engines.load("upper", backend)
    await engines.wait()
    backend.gate.clear()
    texts = ("news", "more")
    work = [
        asyncio.create_task(engines.engine("upper").submit(prompt(text), Decoding(), context=RequestContext()))
        for text in texts
    ]
    while backend.inside < 2:  # noqa: ASYNC110 - the backend is in other threads
        await asyncio.sleep(0.01)
    assert len(backend.threads) == 2
    unloading = engines.unload("upper", grace_s=10)
    await asyncio.sleep(0.05)
    assert not backend.closed
    backend.gate.set()
    await unloading
    assert [(await each).output.text for each in work] == ["NEWS", "MORE"]
    assert (backend.closed, backend.inside) == (1, 0)


async def test_unloading_a_model_that_is_still_loading_frees_it(engines: EngineManager[Backend | Exception]) -> None:
    backend = Upper()
    backend.gate.clear()
    engines.load("upper", backend)
    unloading = engines.unload("upper")
    await asyncio.sleep(0.01)
    backend.gate.set()
    await unloading
    assert backend.closed == 1


async def test_a_replaced_model_is_freed_before_the_new_one_loads(
    engines: EngineManager[Backend | Exception],
) -> None:
    old, new = Upper(), Upper()
    engines.load("upper", old)
    await engines.wait()
    old.gate.clear()
    work = asyncio.create_task(engines.engine("upper").submit(prompt("news"), Decoding(), context=RequestContext()))
    await asyncio.to_thread(old.running.wait, 10)
    leaving = engines.unload("upper", grace_s=10)
    engines.load("upper", new, after=[leaving])
    with pytest.raises(LoadingError):
        engines.engine("upper")
    await asyncio.sleep(0.05)
    assert (new.batches, old.closed) == ([], 0)
    old.gate.set()
    assert (await work).output.text == "NEWS"
    await engines.wait()
    assert (new.batches, old.closed) == ([["warm"]], 1)
    assert engines.statuses()["upper"] == ModelStatus(ModelState.READY)


async def test_a_sequence_may_start_in_the_slot_of_one_whose_batch_has_not_ended() -> None:
    engines, backend = make_engines(), Upper(parallel=1, supports_continuous_batching=True, early=True)
    engines.load("upper", backend)
    await engines.wait()
    backend.gate.clear()
    assert (await submit(engines, "upper", "first")).output.text == "FIRST"
    assert (await submit(engines, "upper", "second")).output.text == "SECOND"
    third = submit(engines, "upper", "third")
    await asyncio.sleep(0.05)
    assert backend.batches == [["warm"], ["first"], ["second"]], "there are two threads, one for the background"
    backend.gate.set()
    assert (await third).output.text == "THIRD"
    await engines.close()


@pytest.mark.parametrize("continuous", [False, True])
async def test_sequences_of_jobs_run_in_the_background_with_continuous_batching(continuous: bool) -> None:
    engines, backend = make_engines(cache_bytes=10_000), Upper(supports_continuous_batching=continuous)
    engines.load("upper", backend)
    await engines.wait()
    for text in ("of a job", "remembered"):
        for priority in (Priority.JOB, Priority.INTERACTIVE):
            await engines.engine("upper").submit(prompt(text), Decoding(), context=RequestContext(priority=priority))
    await engines.engine("upper").submit(prompt("a line"), Decoding(), context=RequestContext())
    assert backend.batches == [["warm"], ["of a job"], ["remembered"], ["a line"]]
    assert backend.background == [False, continuous, continuous, False]
    await engines.close()
