"""A text of an edition with its language and what is known of it, and how it gets into another language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kunnafoni.summarization.edition_findings import Mark, Remark
from kunnafoni.translation.sentences import FinishReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.translation.contents import PendingTranslation, TranslatedSegment


@dataclass(frozen=True, slots=True)
class Passage:
    """A headline, a summary or a key point.

    Attributes:
        machine_generated: Whether a model wrote any of it.
    """

    text: str
    language: str
    remarks: tuple[Remark, ...] = ()
    machine_generated: bool = False


async def translated(pending: PendingTranslation, target: str) -> Passage:
    """The whole of `pending`, which is in `target` then; `pending.usage` is complete afterwards.

    Raises:
        KunnafoniError: the engine refused or dropped the work.
    """
    pieces = [piece async for piece in pending.pieces()]
    segments = [piece.segment for piece in pieces if piece.segment]
    return Passage(
        "".join(piece.text for piece in pieces),
        target,
        tuple(dict.fromkeys(remark for segment in segments for remark in _remarks(segment))),
        machine_generated=any(segment.machine_generated for segment in segments),
    )


def _remarks(segment: TranslatedSegment) -> Iterator[Remark]:
    for finding in segment.findings:
        yield Remark(finding.type, finding.detail, finding.target_span, finding.source_span, category=finding.category)
    if segment.finish_reason is FinishReason.LENGTH:
        yield Remark(Mark.OUTPUT_CAP, "its end may be missing", segment.target, segment.source)
