"""The clients of the server: `Client`, `AsyncClient` (the same calls, awaited) and `JobClient` (batch jobs)."""

from kunnafoni.client.async_client import AsyncClient
from kunnafoni.client.job_client import JobClient
from kunnafoni.client.sync_client import Client

__all__ = ["AsyncClient", "Client", "JobClient"]
