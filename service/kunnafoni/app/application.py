"""The service put together over its models. Listeners (gRPC, metrics) are made of it; it does not know them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kunnafoni.app.job_work import JobWork, revisions_of
from kunnafoni.app.pipeline import Pipeline
from kunnafoni.jobs.runner import RunnerOptions
from kunnafoni.jobs.service import JobService, store_url

if TYPE_CHECKING:
    from kunnafoni.config import Settings
    from kunnafoni.jobs.values import Codec
    from kunnafoni.translation.model_pool import ModelPool


class Application:
    """What a server does, whoever calls it.

    Attributes:
        settings: As it was started.
        model_pool: The models.
        translator, summarizer: See `Pipeline`.
        job_service: The jobs. No database is opened before `start`.
    """

    def __init__(self, settings: Settings, model_pool: ModelPool, codec: Codec) -> None:
        """Put it together.

        Args:
            settings: What the operator has set.
            model_pool: Models, which may still be loading.
            codec: How specs, items and results of jobs are stored.
        """
        self.settings = settings
        self.model_pool = model_pool
        pipeline = Pipeline(settings, model_pool)
        self.translator = pipeline.translator
        self.summarizer = pipeline.summarizer
        self.job_service = JobService(
            store_url(settings.jobs_url, settings.data_dir),
            JobWork(pipeline.items, codec, revisions=partial(revisions_of, model_pool)),
            RunnerOptions(lease_s=settings.job_lease_s, expiry_days=settings.job_expiry_days),
        )

    def start(self) -> None:
        """Begin to work on jobs. Needs a running event loop."""
        self.job_service.start()

    def drain(self) -> None:
        """Tell those who follow jobs to come back later; running calls go on."""
        self.job_service.draining = True

    async def stop(self) -> None:
        """Store what jobs have, and give back the items that are in flight."""
        await self.job_service.stop()
