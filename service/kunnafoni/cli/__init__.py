"""The command line: one module a group of commands. Talks to a server through `client.py`, but for `serve`."""

from kunnafoni.cli.app import main

__all__ = ["main"]
