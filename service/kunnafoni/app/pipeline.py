"""Translation, summarization and the items of jobs over one model pool, for servers and for the actors of Ray."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from kunnafoni.app.item_processor import ItemProcessor
from kunnafoni.app.model_loading import check_ready, load_models, make_engines
from kunnafoni.summarization.summarizer import Summarizer
from kunnafoni.translation.translator import Translator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from kunnafoni.config import Settings
    from kunnafoni.translation.model_pool import ModelPool


class Pipeline:
    """What needs models and no store.

    Attributes:
        translator: Translates contents.
        summarizer: Makes editions of articles.
        items: Does to an item of a job what a call of its own would do.
    """

    def __init__(self, settings: Settings, model_pool: ModelPool) -> None:
        self.translator = Translator(model_pool)
        self.summarizer = Summarizer(model_pool, self.translator, max_sequence_tokens=settings.max_batch_tokens)
        self.items = ItemProcessor(self.translator, self.summarizer)


@asynccontextmanager
async def loaded_processor(settings: Settings) -> AsyncGenerator[ItemProcessor]:
    """What processes items without a server: models are loaded when the context begins and unloaded when it ends.

    Raises:
        ModelError: a model is not in the catalog, or none could be loaded.
    """
    engines = make_engines(settings)
    model_pool = load_models(settings, engines)
    await engines.wait()
    try:
        check_ready(engines)
        yield Pipeline(settings, model_pool).items
    finally:
        await engines.close()
