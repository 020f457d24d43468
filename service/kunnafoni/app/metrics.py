"""What the server does, as a page that Prometheus reads: calls, and for each model its queue, batches and cache.

It counts nothing about models itself: each reading takes a snapshot of their counters in the event loop. No metric
holds text or names of callers.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from kunnafoni.app.listeners import ListenError
from kunnafoni.engine.engine_manager import ModelState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.metrics_core import Metric

    from kunnafoni.app.application import Application
    from kunnafoni.engine.engine import EngineStats

LOG = logging.getLogger(__name__)
# From an answer out of the cache to an archive.
_CALL_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_READING_TIMEOUT_S = 10.0
_GAUGES: dict[str, tuple[str, Callable[[EngineStats], float]]] = {
    "queued_sequences": ("Sequences that wait", lambda stats: stats.batcher.queued_sequences),
    "queued_tokens": ("Most tokens that the waiting sequences can come to", lambda stats: stats.batcher.queued_tokens),
    "running_sequences": ("Sequences on the model", lambda stats: stats.batcher.running_sequences),
    "drain_tokens_per_second": (
        "Tokens per second that the model has worked off lately while it was busy",
        lambda stats: stats.batcher.drain_tokens_per_s,
    ),
    "cache_entries": ("Outputs in the cache", lambda stats: stats.cache.entries if stats.cache else 0),
    "cache_bytes": ("Bytes of the outputs in the cache", lambda stats: stats.cache.size_bytes if stats.cache else 0),
}
_COUNTERS: dict[str, tuple[str, Callable[[EngineStats], float]]] = {
    "batches": ("Batches given to the model", lambda stats: stats.batcher.batches),
    "sequences": ("Sequences in these batches", lambda stats: stats.batcher.sequences),
    "failed_batches": ("Batches in which the model failed", lambda stats: stats.batcher.failed_batches),
    "shared_sequences": (
        "Sequences that shared the output of an equal one in flight",
        lambda stats: stats.batcher.shared_sequences,
    ),
    "dropped_sequences": ("Sequences that nobody waited for any more", lambda stats: stats.batcher.dropped_sequences),
    "refused_requests": ("Requests that found the queue full", lambda stats: stats.batcher.refused_requests),
    "cache_hits": ("Sequences answered from the cache", lambda stats: stats.cache.hits if stats.cache else 0),
    "cache_misses": ("Sequences not found in the cache", lambda stats: stats.cache.misses if stats.cache else 0),
}


class MetricsPage:
    """A `Listener` that serves the page, in threads of its own."""

    def __init__(self, application: Application, address: str) -> None:
        self._application = application
        self._address = address
        self._registry = CollectorRegistry()
        self._calls = Histogram(
            "kunnafoni_call_seconds",
            "Calls, by method and status code, and how long each took",
            ("method", "code"),
            buckets=_CALL_BUCKETS_S,
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)
        self._page: Any = None

    def count_call(self, method: str, code: str, elapsed_s: float) -> None:
        """Count a call that has ended."""
        self._calls.labels(method, code).observe(elapsed_s)

    async def start(self) -> str:
        """See Listener: from now on the page can be read."""
        loop = asyncio.get_running_loop()

        def reading() -> list[Metric]:
            return asyncio.run_coroutine_threadsafe(self._reading(), loop).result(_READING_TIMEOUT_S)

        self._registry.register(_Models(reading))
        host, _, port = self._address.rpartition(":")
        try:
            self._page, _ = start_http_server(int(port), addr=host.strip("[]"), registry=self._registry)
        except (OSError, ValueError, OverflowError) as error:
            problem = f"cannot serve metrics on {self._address}: the port is taken or the address wrong"
            raise ListenError(problem) from error
        address = f"{host}:{self._page.server_port}"
        LOG.info("metrics on http://%s/metrics", address)
        return address

    async def serve(self) -> None:
        """See Listener: there is nothing to do, the page says by itself which models are ready."""

    async def stop(self, grace_s: float) -> None:  # noqa: ARG002 - the signature is a listener's
        """See Listener."""
        if self._page:
            await asyncio.to_thread(self._page.shutdown)
            self._page.server_close()

    async def _reading(self) -> list[Metric]:
        """A snapshot of each model. Runs in the event loop, where nothing changes meanwhile."""
        statuses = self._application.model_pool.statuses()
        ready = GaugeMetricFamily("kunnafoni_model_ready", "1 if the model serves, else 0", labels=["model"])
        for model_id, status in statuses.items():
            ready.add_metric([model_id], float(status.state is ModelState.READY))
        stats = {
            model_id: self._application.model_pool.engine(model_id).stats()
            for model_id, status in statuses.items()
            if status.state is ModelState.READY
        }
        store = GaugeMetricFamily("kunnafoni_job_store_ready", "1 if the job store can be used, else 0")
        store.add_metric([], float(self._application.job_service.usable))
        return [
            ready,
            store,
            *_families(GaugeMetricFamily, _GAUGES, stats),
            *_families(CounterMetricFamily, _COUNTERS, stats),
        ]


class _Models(Collector):
    """Asks for a reading whenever the page is asked for."""

    def __init__(self, reading: Callable[[], list[Metric]]) -> None:
        self._reading = reading

    def describe(self) -> Iterable[Metric]:
        """Say nothing beforehand, as no reading can be had before the server runs."""
        return []

    def collect(self) -> Iterable[Metric]:
        """Take a reading."""
        return self._reading()


def _families(
    kind: type[GaugeMetricFamily | CounterMetricFamily],
    described: dict[str, tuple[str, Callable[[EngineStats], float]]],
    stats: dict[str, EngineStats],
) -> Iterable[Metric]:
    for name, (text, value) in described.items():
        family = kind(f"kunnafoni_{name}", text, labels=["model"])
        for model_id, each in stats.items():
            family.add_metric([model_id], value(each))
        yield family
