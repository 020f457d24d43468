"""Models that are taken away while calls are on their way to them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kunnafoni.v1 import translation_pb2
from tests.conftest import echo_entry, serve

if TYPE_CHECKING:
    from kunnafoni_models.catalog.entry import CatalogEntry

REQUEST = translation_pb2.TranslateRequest(
    contents=["The market opens."], source_language_code="en", target_language_code="fr"
)


def model(model_id: str) -> CatalogEntry:
    return replace(echo_entry(), id=model_id)


async def test_a_call_whose_model_goes_while_it_is_read_takes_another() -> None:
    async with serve(model("goes"), model("stays"), routes={"en>fr": "goes"}) as served:
        backend: Any = served.model_pool.engine("goes").backend
        make, loop = backend.translation_prompt, asyncio.get_running_loop()

        async def unload() -> None:
            served.engines.unload("goes")

        def unloading(text: str, *, source: str, target: str) -> Any:
            backend.translation_prompt = make
            asyncio.run_coroutine_threadsafe(unload(), loop).result()
            return make(text, source=source, target=target)

        backend.translation_prompt = unloading
        [translation] = (await served.translation.Translate(REQUEST)).translations
        assert [hop.model_id for hop in translation.route] == ["stays"]


async def test_routes_are_planned_in_threads_while_models_come_and_go() -> None:
    async with serve(model("stays")) as served:
        loop = asyncio.get_running_loop()
        reading = loop.run_in_executor(None, lambda: [len(served.model_pool.routes()) for _ in range(3000)])
        while not reading.done():
            served.engines.load("comes", model("comes"))
            await asyncio.sleep(0)
            served.engines.unload("comes")
            await asyncio.sleep(0)
        assert set(await reading) == {6}
