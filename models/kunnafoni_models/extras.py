"""Optional packages: an import that fails names the extra of the distribution that brings what is missing.

It knows no extra by name; `pyproject.toml` lists them.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class MissingExtraError(ImportError):
    """A package of an extra is not installed; the message says who needs it and how to install it."""


@contextmanager
def needs_extra(extra: str, who: str) -> Generator[None]:
    """Import inside this context what only an extra brings.

    Args:
        extra: Its name in `pyproject.toml`.
        who: Subject of the message: who needs it.

    Raises:
        MissingExtraError: An import did not find its package. Where contexts lie in each other, the inner one speaks.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] in {"kunnafoni", "kunnafoni_models"}:
            raise  # a fault of ours, which no installation mends
        message = f"{who} needs the extra `{extra}`: pip install 'kunnafoni[{extra}]' ({error})"
        raise MissingExtraError(message) from error
