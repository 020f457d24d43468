"""Optional packages: an import that fails names the extra of the distribution that installs the missing package.

It knows no extra by name; `pyproject.toml` lists them.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class MissingExtraError(ImportError):
    """A package of an extra is not installed; the message says what needs it and how to install it."""


@contextmanager
def needs_extra(extra: str, who: str) -> Generator[None]:
    """A context for imports of packages that only an extra installs.

    Args:
        extra: Its name in `pyproject.toml`.
        who: Subject of the message: what needs the extra.

    Raises:
        MissingExtraError: An import did not find its package. Of nested contexts, the inner one raises it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] in {"kunnafoni", "kunnafoni_models"}:
            raise  # a bug of this project, which no installation repairs
        message = f"{who} needs the extra `{extra}`: pip install 'kunnafoni[{extra}]' ({error})"
        raise MissingExtraError(message) from error
