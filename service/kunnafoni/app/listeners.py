"""What an application is called through: a gRPC server, a page of metrics. The application knows only this of them."""

from __future__ import annotations

from typing import Protocol


class ListenError(OSError):
    """The address cannot be listened on."""


class Listener(Protocol):
    """It is started before the models are loaded, and stopped before the application is."""

    async def start(self) -> str:
        """Listen, and return the real address (a configured port 0 is any free one).

        Raises:
            ListenError: the configured address is taken or is no address.
        """
        ...

    async def serve(self) -> None:
        """Answer from now on: the models are loaded."""
        ...

    async def stop(self, grace_s: float) -> None:
        """Refuse what is new, let what is running end for at most `grace_s` seconds, then cut it off."""
        ...
