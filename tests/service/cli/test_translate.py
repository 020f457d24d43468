"""What `kunnafoni translate` shows: the text on standard output, and warnings that quote it below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kunnafoni.cli.translate import show
from kunnafoni.errors import DeadlineError
from kunnafoni.v1.result_pb2 import WARNING_TYPE_LENGTH_RATIO, WARNING_TYPE_NAME_MISSING, WARNING_TYPE_NUMBER_MISMATCH
from kunnafoni.v1.translation_pb2 import Segment, TranslateStreamResponse, Translation

if TYPE_CHECKING:
    from collections.abc import Iterator

SENTENCES = ("Awa and Musa paid 500 francs in Gao.", "The market opens at eight.")
CONTENT = " ".join(SENTENCES)
MADE = ("Awa a payé 700 francs.", "Le marché.")


def segment(number: int) -> Segment:
    """A segment with its spans in CONTENT and in the translation."""
    found = Segment()
    for span, texts in ((found.source_span, SENTENCES), (found.target_span, MADE)):
        span.start = number * (len(texts[0]) + 1)
        span.end = span.start + len(texts[number])
    return found


def pieces() -> Iterator[TranslateStreamResponse]:
    first, second = segment(0), segment(1)
    missing = "name not found in the translation"
    for word in ("Musa", "Gao", "Musa"):
        span = {"start": CONTENT.index(word), "end": CONTENT.index(word) + len(word)}
        first.warnings.add(type=WARNING_TYPE_NAME_MISSING, detail=missing, source_span=span)
    first.warnings.add(type=WARNING_TYPE_NUMBER_MISMATCH, detail="odd", target_span={"start": 11, "end": 14})
    second.warnings.add(type=WARNING_TYPE_LENGTH_RATIO, detail="too short")
    yield TranslateStreamResponse(text=MADE[0], segment=first)
    yield TranslateStreamResponse(text=f" {MADE[1]}", segment=second)


def test_warnings_follow_the_text_and_quote_their_words(capfd: pytest.CaptureFixture[str]) -> None:
    show([*pieces(), TranslateStreamResponse(translation=Translation())], CONTENT)
    shown = capfd.readouterr()
    assert shown.out == f"{' '.join(MADE)}\n"
    assert shown.err.splitlines() == [
        f"! number mismatch: odd [700], in: {SENTENCES[0]}",
        f"! name missing: name not found in the translation [Musa] [Gao], in: {SENTENCES[0]}",
        f"! length ratio: too short, in: {SENTENCES[1]}",
    ]


def test_a_translation_that_breaks_off_ends_its_line(capfd: pytest.CaptureFixture[str]) -> None:
    def breaking() -> Iterator[TranslateStreamResponse]:
        yield next(pieces())
        raise DeadlineError

    with pytest.raises(DeadlineError):
        show(breaking(), CONTENT)
    shown = capfd.readouterr()
    assert shown.out == f"{MADE[0]}\n"
    assert "[Musa] [Gao]" in shown.err
