"""What is read from files and written into files: plain values. It does not know how they travel to a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class InputItem:
    """A text or an article that a file holds.

    Attributes:
        id: Its name, different from that of every other item; empty until it has got one.
        text: The text, or the body of the article.
        headline: Of the article; empty if it has none.
        language: Its language as the file says it; empty if the file does not.
    """

    id: str = ""
    text: str = field(repr=False)
    headline: str = field(default="", repr=False)
    language: str = ""


@dataclass(frozen=True, slots=True)
class SentencePair:
    """A sentence that was translated, in both languages, and the names of the warnings about it."""

    source: str
    target: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedText:
    """An item in another language; `sentences` lacks those that were copied."""

    language: str
    source_language: str
    text: str
    warnings: tuple[str, ...]
    sentences: tuple[SentencePair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionText:
    """The edition of an article in one language."""

    language: str
    headline: str
    summary: str
    key_points: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemError:
    """Why an item failed: the name of the status code, the reason for programs, the message for people."""

    code: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRecord:
    """What has become of an item.

    Attributes:
        index: Place of the item in its job, from 0.
        item: What was sent.
        results: One per language, in order, all translations or all editions; empty if it failed.
        error: Why it failed; None if it did not.
        full: Everything that the server said of it, as a JSON object.
    """

    index: int
    item: InputItem
    results: tuple[TranslatedText, ...] | tuple[EditionText, ...] = ()
    error: ItemError | None = None
    full: Mapping[str, object] = field(default_factory=dict[str, object], repr=False)

    @property
    def is_edition(self) -> bool:
        """Whether the results are editions."""
        return any(isinstance(each, EditionText) for each in self.results)
