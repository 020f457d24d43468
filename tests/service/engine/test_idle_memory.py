"""An idle engine releases memory, and only an idle one."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from kunnafoni.engine import engine as engine_module
from kunnafoni.engine.request_context import RequestContext
from kunnafoni_models.backend import Decoding
from tests.conftest import until_async
from tests.service.engine.fake_backend import Upper, make_engines, prompt

if TYPE_CHECKING:
    import pytest


async def test_memory_is_released_once_no_batch_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = threading.Event()
    monkeypatch.setattr(engine_module, "IDLE_AFTER_S", 0.01)
    monkeypatch.setattr(engine_module, "release_freed_memory", given_back.set)
    backend = Upper(parallel=2)
    engines = make_engines(parallel_batches=2)
    engines.load("upper", backend)
    await engines.wait()
    engine = engines.engine("upper")
    with RequestContext() as context:
        backend.gate.clear()
        held = asyncio.create_task(engine.submit(prompt("held"), Decoding(), context=context))
        await until_async(backend.running.is_set)
        generate = backend.generate
        monkeypatch.setattr(backend, "generate", Upper().generate)
        await engine.submit(prompt("beside it"), Decoding(), context=context)
        monkeypatch.setattr(backend, "generate", generate)
        await asyncio.sleep(0.3)
        assert not given_back.is_set()
        backend.gate.set()
        await held
        await until_async(given_back.is_set)
    await engines.close()
