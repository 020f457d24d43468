"""Page tokens of lists (AIP-158): opaque, bound to what the list was asked for, and good when rows have gone."""

from __future__ import annotations

import base64
import hashlib

from kunnafoni.errors import InvalidInputError

DIGEST_BYTES = 8
MAX_TOKEN_LENGTH = 400


def page_token(cursor: str, **filters: object) -> str:
    """A token that leads behind `cursor` (the last entry of a page) in a list that was asked for with `filters`."""
    return base64.urlsafe_b64encode(_digest(cursor, filters) + cursor.encode()).decode().rstrip("=")


def read_page_token(token: str, **filters: object) -> str | None:
    """The cursor of a token; None if `token` is empty, which asks for the first page.

    Raises:
        InvalidInputError: `page_token` made no such token for these filters.
    """
    if not token:
        return None
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        cursor = data[DIGEST_BYTES:].decode()
    except ValueError:
        data, cursor = b"", ""
    if len(token) > MAX_TOKEN_LENGTH or data[:DIGEST_BYTES] != _digest(cursor, filters):
        raise wrong_page_token()
    return cursor


def wrong_page_token() -> InvalidInputError:
    """The error of a token that no list with these filters gave out."""
    return InvalidInputError(
        "page_token",
        "is not the `next_page_token` of a list with the same filters",
        french="n'est pas le `next_page_token` d'une liste aux mêmes critères",
    )


def _digest(cursor: str, filters: dict[str, object]) -> bytes:
    return hashlib.blake2b(repr((cursor, sorted(filters.items()))).encode(), digest_size=DIGEST_BYTES).digest()
