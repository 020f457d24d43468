"""Fixtures of the engine's tests in real time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.engine.fake_backend import make_engines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kunnafoni.engine.engine_manager import EngineManager
    from kunnafoni_models.backend import Backend


@pytest.fixture
async def engines() -> AsyncIterator[EngineManager[Backend | Exception]]:
    engines = make_engines()
    yield engines
    await engines.close()
