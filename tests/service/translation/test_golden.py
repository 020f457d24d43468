"""The inputs of tests/golden/ on the embedded model, where the answer does not depend on its wording."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kunnafoni.client import Client
from kunnafoni.text.letter_case import to_capitals, truecase

if TYPE_CHECKING:
    from kunnafoni.cli.local_server import LocalServer

GOLDEN = Path(__file__).parents[2] / "golden"
MARKUP = re.compile(r"<[^<>]*>|&\w+;|�")


def cases(name: str) -> list[dict[str, str]]:
    with (GOLDEN / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def translated(server: LocalServer, case: dict[str, str], text: str) -> str:
    with Client(server.address) as client:
        [answer] = client.translate([text], source=case["source_language"], target=case["target_language"])
    return answer.text


@pytest.mark.parametrize("case", cases("pieces.tsv"), ids=lambda case: case["text"])
def test_pieces_that_no_language_owns_come_back(embedded: LocalServer, case: dict[str, str]) -> None:
    text = translated(embedded, case, case["text"])
    place = 0
    for piece in case["pieces"].split("|"):
        found = text.find(piece, place)
        assert found >= 0, (piece, text)
        place = found + len(piece)
    assert sorted(MARKUP.findall(text)) == sorted(MARKUP.findall(case["text"])), text


@pytest.mark.parametrize("case", cases("capitals.tsv"), ids=lambda case: case["text"])
def test_capitals_are_read_as_sentences(embedded: LocalServer, case: dict[str, str]) -> None:
    text = translated(embedded, case, case["text"])
    assert text == text.upper()
    sentence = truecase(case["text"], case["source_language"]).text
    assert text == to_capitals(translated(embedded, case, sentence))
