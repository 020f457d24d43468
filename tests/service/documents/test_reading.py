"""Files to items: every format, and everything that a file can hold that is no item."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kunnafoni.documents.lines import MAX_LINE_BYTES, Problem
from kunnafoni.documents.reading import Fields, Reader
from kunnafoni.documents.records import InputError, InputFormat
from kunnafoni.documents.values import InputItem

if TYPE_CHECKING:
    from pathlib import Path

TRANSLATE = Reader()
SUMMARIZE = Reader(articles=True)


def read(reader: Reader, *paths: Path) -> tuple[dict[str, str], list[str]]:
    """Texts by id, and problems as `place message`."""
    entries = list(reader.read(paths))
    found = [entry for entry in entries if not isinstance(entry, Problem)]
    problems = [f"{entry.place} {entry.message}" for entry in entries if isinstance(entry, Problem)]
    return {item.id: item.text for item in found}, problems


def write(path: Path, *lines: str | bytes) -> Path:
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
    return path


def test_a_malformed_line_is_reported_by_number_and_the_rest_goes_on(tmp_path: Path) -> None:
    lines = [json.dumps({"id": f"a{i}", "text": f"text {i}"}) for i in range(1, 31)]
    lines[16] = '{"id": "a17", "text": '
    items, problems = read(TRANSLATE, write(tmp_path / "in.jsonl", *lines))
    assert len(items) == 29
    assert problems == ["in.jsonl:17 is not JSON (character 23)"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "is not a JSON object"),
        ("[" * 100_000, "is not JSON"),
        ('{"text": "a", "number": ' + "9" * 5_000 + "}", "is not JSON"),  # more digits than Python takes
        ('{"text": ""}', "has no text"),
        ('{"id": "x"}', "has no text"),
        ('{"text": {"a": 1}}', "has a field that is no text"),
        ('{"text": "\\ud800"}', "has a field that is no text"),
        ('{"text": "a\\u0000b"}', "has a NUL character"),
        ('{"text": "a", "id": "b\\u0000"}', "has a NUL character"),
        ('{"headline": "only one"}', "has no text"),
        ('{"text": "a", "language": "xx"}', "has a language that is not known: xx"),
        ('{"text": "b", "id": "one"}', "has the id of an earlier item: one"),
        ('{"text": "b", "id": "' + "i" * 256 + '"}', "has an id longer than 255 characters"),
        (json.dumps({"text": "a" * 200_001}), "is longer than 200,000 characters"),
        (b'{"text": "\xff"}', "is not UTF-8 (byte 11 of the line)"),
        ("x" * (MAX_LINE_BYTES + 10), f"is longer than {MAX_LINE_BYTES:,} bytes"),
    ],
)
def test_what_is_no_item_is_left_out(tmp_path: Path, line: str | bytes, message: str) -> None:
    file = write(tmp_path / "in.jsonl", '{"text": "first", "id": "one"}', line, "", '{"text": "last"}')
    items, problems = read(TRANSLATE, file)
    assert items == {"one": "first", "4": "last"}
    assert problems == [f"in.jsonl:2 {message}"]


def test_a_line_of_a_gigabyte_takes_no_memory(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    with file.open("wb") as out:
        out.write(b'{"text": "')
        out.seek(1 << 30)  # a hole: the file takes no disk either
        out.write(b'"}\n{"text": "next"}\n')
    items, problems = read(TRANSLATE, file)
    assert items == {"2": "next"}
    assert problems == [f"in.jsonl:1 is longer than {MAX_LINE_BYTES:,} bytes"]


def test_empty_files_have_no_items(tmp_path: Path) -> None:
    for suffix in ("jsonl", "csv", "tsv", "txt"):
        assert read(TRANSLATE, write(tmp_path / f"in.{suffix}")) == ({}, [])


def test_tables(tmp_path: Path) -> None:
    rows = ["id,text,language", '1,"a, ""b""\nc",fr', "2,d", 'x,"open', "y,never closed,en"]
    items, problems = read(TRANSLATE, write(tmp_path / "in.csv", *rows))
    assert items == {"1": 'a, "b"\nc'}
    assert problems[0] == "in.csv:4 has 2 columns, the header has 3"
    assert problems[1].startswith("in.csv:5-6 is no row of a table")
    items, problems = read(TRANSLATE, write(tmp_path / "in.tsv", "id\ttext", '1\t"quoted', "2\tplain"))
    assert (items, problems) == ({"1": '"quoted', "2": "plain"}, [])
    with pytest.raises(InputError, match="no column 'text', but 'a', 'b'"):
        read(TRANSLATE, write(tmp_path / "other.csv", "a;b", "1;2"))


@pytest.mark.parametrize(
    "rows",
    [
        ("Id,TEXT", '1,"Un, deux"', '2,"; et trois"'),
        ("id;text", "1;Un, deux", '2;"; et trois"'),
        ('"text";"note, or not";"id"', "Un, deux;;1", '"; et trois";a;2'),
        ("id\t Text ", "1\tUn, deux", "2\t; et trois"),
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path: Path, rows: tuple[str, ...]) -> None:
    assert read(TRANSLATE, write(tmp_path / "in.csv", *rows)) == ({"1": "Un, deux", "2": "; et trois"}, [])


def test_a_header_that_is_no_row_is_reported(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"id,text\r1,of an old Mac\r")
    items, [problem] = read(TRANSLATE, tmp_path / "in.csv")
    assert not items
    assert problem.startswith("in.csv:1 is no row of a table")


def test_the_column_of_that_very_name_is_taken(tmp_path: Path) -> None:
    assert read(TRANSLATE, write(tmp_path / "in.csv", "Text,text", "other,this")) == ({"2": "this"}, [])


def test_a_table_of_something_else_in_a_folder_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    write(tmp_path / "archive" / "prices.csv", "town;price", "Gao;500")
    write(tmp_path / "archive" / "text.csv", "text", "Rain.")
    items, problems = read(TRANSLATE, tmp_path / "archive")
    assert items == {"text.csv:2": "Rain."}
    assert problems == ["prices.csv has no column 'text', but 'town', 'price'"]


def test_a_row_with_a_line_that_cannot_be_read_is_left_out_whole(tmp_path: Path) -> None:
    rows = ["id,text", '1,"First.', b"Caf\xe9.", 'Third."', "2,next", b"\xff", "3,last"]
    items, problems = read(TRANSLATE, write(tmp_path / "in.csv", *rows))
    assert items == {"2": "next", "3": "last"}
    assert problems == [
        "in.csv:3 is not UTF-8 (byte 4 of the line)",
        "in.csv:2-4 is a row with a line that cannot be read",
        "in.csv:6 is not UTF-8 (byte 1 of the line)",
    ]


def test_a_quote_that_is_not_closed_names_all_the_lines_that_it_costs(tmp_path: Path) -> None:
    rows = ["id,text", "1,first", '2,"open', *(f"{n},text" for n in range(3, 50)), '50,"quoted" text', "51,last"]
    items, problems = read(TRANSLATE, write(tmp_path / "in.csv", *rows))
    assert items == {"1": "first", "51": "last"}
    assert len(problems) == 1
    assert problems[0].startswith("in.csv:3-51 is no row of a table")


def test_utf_16_is_named_and_not_translated(tmp_path: Path) -> None:
    for name in ("in.txt", "in.jsonl", "in.csv", "in.md"):
        (tmp_path / name).write_bytes("id,text\n1,The market.\n".encode("utf-16"))
        assert read(TRANSLATE, tmp_path / name) == ({}, [f"{name} is UTF-16: save it as UTF-8"])


def test_every_text_without_an_id_gets_one_of_its_own(tmp_path: Path) -> None:
    for year in ("y23", "y24"):
        (tmp_path / year).mkdir()
        write(tmp_path / year / "news.txt", f"of {year}")
    items, problems = read(TRANSLATE, tmp_path / "y23" / "news.txt", tmp_path / "y24" / "news.txt")
    assert list(items.values()) == ["of y23", "of y24"]
    assert [item_id.removeprefix(str(tmp_path)) for item_id in items] == ["/y23/news.txt:1", "/y24/news.txt:1"]
    assert problems == []
    items, problems = read(TRANSLATE, tmp_path / "y23", tmp_path / "y24")
    assert list(items.values()) == ["of y23\n", "of y24\n"]
    assert problems == []
    items, problems = read(TRANSLATE, write(tmp_path / "in.jsonl", '{"id": "2", "text": "a"}', '{"text": "b"}'))
    assert (items, problems) == ({"2": "a", "in.jsonl:2": "b"}, [])


def test_fields_have_the_names_that_are_given(tmp_path: Path) -> None:
    reader = Reader(articles=True, fields=Fields(id="uid", headline="title", body="content"))
    file = write(tmp_path / "in.jsonl", json.dumps({"uid": 7, "title": "T", "content": "C", "language": "FR"}))
    [item] = reader.read([file])
    assert isinstance(item, InputItem)
    assert (item.id, item.headline, item.text) == ("7", "T", "C")
    assert item.language == "FR"


def test_folders_and_several_files(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    (folder / "2024").mkdir(parents=True)
    write(folder / "2024" / "b.txt", "two lines", "of one text")
    write(folder / "a.md", "# one")
    write(folder / "c.jsonl", '{"text": "three"}')
    write(folder / "picture.png", "none")
    write(folder / "._a.md", "litter of another system")
    items, problems = read(TRANSLATE, folder)
    assert items == {"2024/b.txt": "two lines\nof one text\n", "a.md": "# one\n", "c.jsonl:1": "three"}
    assert problems == ["picture.png is none of .jsonl .ndjson .csv .tsv .txt .md"]
    lines = write(tmp_path / "lines.txt", b"\xef\xbb\xbfone", "", "two\r")
    assert read(TRANSLATE, lines) == ({"1": "one", "3": "two"}, [])
    with pytest.raises(InputError, match="--input-format"):
        read(TRANSLATE, write(tmp_path / "archive.dat", "x"))
    as_file = Reader(input_format=InputFormat.FILE)
    assert read(as_file, lines) == ({"lines.txt": "one\n\ntwo\r\n"}, [])


def test_whole_files_are_articles_to_a_job_that_summarises_and_texts_to_one_that_translates(tmp_path: Path) -> None:
    wire, marked = "Rain in Gao\n\nIt fell all day.\n", "# Rain\n\nIt **fell** in [Gao](https://example.org).\n"
    for name, text in (("a.txt", wire), ("b.md", marked), ("c.html", "<html><body></body></html>")):
        (tmp_path / name).write_text(text)
    found = {entry.id: entry for entry in SUMMARIZE.read([tmp_path]) if not isinstance(entry, Problem)}
    assert {name: (article.headline, article.text) for name, article in found.items()} == {
        "a.txt": ("Rain in Gao", "It fell all day."),
        "b.md": ("Rain", "It fell in Gao."),
    }
    assert read(SUMMARIZE, tmp_path)[1] == ["c.html has no article that can be separated from the rest of the page"]
    items, problems = read(TRANSLATE, tmp_path)
    assert items == {"a.txt": wire, "b.md": marked}
    assert problems == ["c.html is none of .jsonl .ndjson .csv .tsv .txt .md"]
