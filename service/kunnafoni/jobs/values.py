"""What a job is, apart from how it travels and how it is stored: plain values, and the codec that stores them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kunnafoni.errors import KunnafoniError
    from kunnafoni.summarization.article_analysis import Length
    from kunnafoni.summarization.edition import Edition
    from kunnafoni.translation.contents import Translation


class JobKind(StrEnum):
    """What a job does with its items."""

    TRANSLATE = "TRANSLATE"
    SUMMARIZE = "SUMMARIZE"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What is asked for; a field that is empty, 0 or None is not set.

    Attributes:
        targets: Codes of the languages wanted, in order.
        source: Code of the language of the texts; None means: detect it for each item.
        beam_size: Of translations; greedy if not set.
        length: Of summaries; medium if not set.
        max_words: Of a summary; takes precedence over `length`.
        key_points: Of each edition; 3 if not set, 0 for none.
        span_unit: Name of the unit in which the spans of stored results count; code points if not set. It matters to
            the codec alone.
    """

    targets: tuple[str, ...] = ()
    source: str | None = None
    beam_size: int = 0
    length: Length | None = None
    max_words: int = 0
    key_points: int | None = None
    span_unit: str = ""

    def merged_with(self, own: JobOptions) -> JobOptions:
        """These options of a job, with those of an item in their place where the item's are set."""
        unset = JobOptions()
        names = [name for name in self.__slots__ if getattr(own, name) != getattr(unset, name)]
        changes: dict[str, Any] = {name: getattr(own, name) for name in names}
        return replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A job without its items; `labels` are the caller's own words to find it by."""

    kind: JobKind
    options: JobOptions
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class JobItem:
    """One text or article.

    Attributes:
        text: The text, or the body of the article.
        headline: Of the article; empty if it has none.
        language: Code of the article's language; takes precedence over `JobOptions.source`. None means: not given.
        options: What this item wants otherwise than its job.
    """

    text: str = field(repr=False)
    headline: str = field(default="", repr=False)
    language: str | None = None
    options: JobOptions = JobOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """What has become of an item: one translation or one edition per target language, in order, or an error."""

    translations: tuple[Translation, ...] = ()
    editions: tuple[Edition, ...] = ()
    error: KunnafoniError | None = None


class Codec(Protocol):
    """How specs, items and results are stored. What an earlier version has stored must stay readable."""

    def decode_spec(self, spec: bytes) -> JobSpec:
        """Read the spec of a job."""
        ...

    def decode_item(self, item: bytes) -> JobItem:
        """Read an item."""
        ...

    def encode_result(self, result: ItemResult, spec: bytes, item: bytes) -> bytes:
        """Write the result of an item of a job."""
        ...
