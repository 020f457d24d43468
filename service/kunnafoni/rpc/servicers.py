"""The servicers over one model pool, and the work that jobs do with them; a server and Ray actors are made of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kunnafoni.rpc.health import Health
from kunnafoni.rpc.job_work import PipelineWork, revisions_of
from kunnafoni.rpc.models import ModelServicer
from kunnafoni.rpc.requests import Limits
from kunnafoni.rpc.summarization import SummarizationServicer
from kunnafoni.rpc.translation import TranslationServicer
from kunnafoni.summarization.summarizer import Summarizer
from kunnafoni.translation.translator import Translator

if TYPE_CHECKING:
    from kunnafoni.config import Settings
    from kunnafoni.translation.model_pool import ModelPool


class Servicers:
    """Those that need no store: translation, summarization, models and health.

    Attributes:
        limits: What a request may hold.
        translation, summarization, models, health: One a service.
        work: What is done to an item of a job: the same as to a call.
    """

    def __init__(self, settings: Settings, model_pool: ModelPool) -> None:
        self.limits = Limits(
            max_contents=settings.max_contents,
            max_content_code_points=settings.max_content_code_points,
            max_call_code_points=settings.max_call_code_points,
            max_message_bytes=settings.max_message_bytes,
            max_beam_size=settings.max_beam_size,
        )
        translator = Translator(model_pool)
        summarizer = Summarizer(model_pool, translator, max_row_weight=settings.max_batch_tokens)
        self.translation = TranslationServicer(translator, self.limits)
        self.summarization = SummarizationServicer(summarizer, self.limits)
        self.models = ModelServicer(model_pool, self.limits)
        self.health = Health(model_pool)
        self.work = PipelineWork(
            self.translation.translation, self.summarization.editions, revisions=partial(revisions_of, model_pool)
        )
