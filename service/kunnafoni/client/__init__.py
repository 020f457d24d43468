"""The clients of the server: `Client`, `AsyncClient` (the same calls, awaited) and `JobClient` (batch jobs).

They need grpcio and protobuf, and nothing of the server.
"""

from kunnafoni.client.async_client import AsyncClient
from kunnafoni.client.job_client import JobClient
from kunnafoni.client.messages import error_in
from kunnafoni.client.sync_client import Client

__all__ = ["AsyncClient", "Client", "JobClient", "error_in"]
