"""A text of an edition with its language and findings, and how a translation becomes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kunnafoni.summarization.edition_findings import EditionFinding, EditionFindingType
from kunnafoni.translation.sentences import FinishReason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni.translation.contents import PendingTranslation, TranslatedSegment


@dataclass(frozen=True, slots=True)
class EditionText:
    """A headline, a summary or a key point.

    Attributes:
        text: The text itself.
        language: Its language.
        findings: What looks wrong in it, or tells how it was made.
        machine_generated: Whether a model wrote any of it.
    """

    text: str
    language: str
    findings: tuple[EditionFinding, ...] = ()
    machine_generated: bool = False


async def translated_text(pending: PendingTranslation, target: str) -> EditionText:
    """Wait for the whole translation, whose language is `target`; `pending.usage` is complete afterwards.

    Raises:
        KunnafoniError: the engine refused or dropped the work.
    """
    pieces = [piece async for piece in pending.pieces()]
    segments = [piece.segment for piece in pieces if piece.segment]
    return EditionText(
        "".join(piece.text for piece in pieces),
        target,
        tuple(dict.fromkeys(finding for segment in segments for finding in _findings(segment))),
        machine_generated=any(segment.machine_generated for segment in segments),
    )


def _findings(segment: TranslatedSegment) -> Iterator[EditionFinding]:
    for finding in segment.findings:
        yield EditionFinding(
            finding.type, finding.detail, finding.target_span, finding.source_span, category=finding.category
        )
    if segment.finish_reason is FinishReason.LENGTH:
        yield EditionFinding(EditionFindingType.OUTPUT_CAP, "its end may be missing", segment.target, segment.source)
