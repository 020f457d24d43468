from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kunnafoni.checks.mentions.dates import dates_in

Parts = tuple[int | None, int | None, int | None, int | None]


@pytest.mark.parametrize(
    ("language", "text", "dates"),
    [
        ("fr", "Mardi 26 novembre 2019, à Ségou", [(1, 26, 11, 2019)]),
        ("fr", "le 1er août", [(None, 1, 8, None)]),
        ("fr", "du 26 au 28 novembre", [(None, 28, 11, None), (None, 26, 11, None)]),
        ("fr", "en janvier 2020 puis lundi", [(None, None, 1, 2020), (0, None, None, None)]),
        ("fr", "le 03/04/2019", [(None, 3, 4, 2019)]),
        ("en", "Tuesday, November 26, 2019", [(1, 26, 11, 2019)]),
        ("en", "on 26 November", [(None, 26, 11, None)]),
        ("en", "03/04/2019 and 26/11/2019", [(None, 4, 3, 2019), (None, 26, 11, 2019)]),
        ("en", "2019-11-26", [(None, 26, 11, 2019)]),
        ("en", "they may march, the sun shone", []),
        ("en", "in May", [(None, None, 5, None)]),
        ("bm", "zuluye kalo tile 12 san 2024", [(None, 12, 7, 2024)]),
        ("bm", "ntɛnɛn don", [(0, None, None, None)]),
        ("bm", "San 2024 marisikalo tile 3", [(None, 3, 3, None)]),
        ("bm", "Mɛkalo tile fɔlɔ ani outi kalo tile tan ni fila", [(None, 1, 5, None), (None, 12, 8, None)]),
        (
            "bm",
            "Nowɛnburukalo la, taratadon ni karidon",
            [(None, None, 11, None), (1, None, None, None), (6, None, None, None)],
        ),
        ("bm", "A ye a ta me, tile fɔlɔ", []),
        ("bm", "Zuye daminɛna zuyekalo la", [(None, None, 7, None)]),
        ("fr", "26 personnes. Novembre", [(None, None, 11, None)]),
        ("fr", "99/99/2019", []),
        ("fr", "sept personnes", []),
    ],
)
def test_dates_are_found_by_their_parts(language: str, text: str, dates: list[Parts]) -> None:
    found = dates_in(text, language)
    assert [(date.weekday, date.day, date.month, date.year) for date in found] == dates


def test_the_span_runs_from_the_first_part_to_the_last() -> None:
    text = "Depuis mardi 26 novembre, il pleut."
    [date] = dates_in(text, "fr")
    assert text[date.span.start : date.span.end] == "mardi 26 novembre"


@settings(deadline=None)
@given(st.text(), st.sampled_from(["en", "fr", "bm"]))
def test_any_text_is_taken_and_spans_lie_inside_it(text: str, language: str) -> None:
    assert all(0 <= date.span.start < date.span.end <= len(text) for date in dates_in(text, language))
