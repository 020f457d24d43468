"""Keeps evaluation texts out of training: a row goes if its source or its target is one of them.

Texts are compared after `normalised`, so that another quotation mark, capital or space does not hide one. It finds
equal texts, not similar ones: a sentence that was reworded stays.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from kunnafoni_models.training.corpus_files import read_texts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from kunnafoni_models.training.corpus import Row

_NOT_A_WORD = re.compile(r"[\W_]+")


def normalised(text: str) -> str:
    """`text` in NFC, case folded, with every run of punctuation and white space as one space."""
    return _NOT_A_WORD.sub(" ", unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())).strip()


def held_back(files: Iterable[Path]) -> frozenset[str]:
    """All texts of the evaluation files, normalised.

    Raises:
        TrainingError: A file is not what its name says.
        OSError: A file cannot be read.
    """
    return frozenset(text for path in files for each in read_texts(path) if (text := normalised(each)))


def without(rows: Iterable[Row], texts: Collection[str]) -> list[Row]:
    """The rows of which neither side is in `texts`, which are normalised; in order."""
    return [row for row in rows if normalised(row.source) not in texts and normalised(row.target) not in texts]
