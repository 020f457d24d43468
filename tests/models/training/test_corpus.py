"""Files in, rows out: forms, filters, decontamination, and what is said of a bad one."""

from __future__ import annotations

import gzip
import json
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kunnafoni_models.training.corpus import Row
from kunnafoni_models.training.corpus_files import read_rows, read_texts, read_units
from kunnafoni_models.training.decontamination import held_back, normalised, without
from kunnafoni_models.training.errors import TrainingError
from kunnafoni_models.training.filters import Filters, kept

if TYPE_CHECKING:
    from pathlib import Path

LANGUAGES = ("en", "fr", "bm")
TMX = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="en-GB"><seg>The <bpt>&lt;b&gt;</bpt>river<ept>&lt;/b&gt;</ept> is <hi>high</hi>.</seg></tuv>
<tuv xml:lang="fr-ML"><seg>Le fleuve est
  haut.</seg></tuv><tuv xml:lang="de"><seg>Der Fluss.</seg></tuv></tu>
<tu><tuv lang="FR"><seg>Merci.</seg></tuv><tuv lang="EN"><seg>Thanks.</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>Alone.</seg></tuv></tu>
</body></tmx>"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_the_mix_and_its_compressed_form(tmp_path: Path) -> None:
    text = "fr>bm\t0.75\tL'e\u0301cole\tLakɔli\nsum-fr\t1\tUn long article.\tCourt.\n"
    expected = [Row("fr>bm", 0.75, "L'école", "Lakɔli"), Row("sum-fr", 1.0, "Un long article.", "Court.")]
    assert read_rows(write(tmp_path / "mix.tsv", text), languages=LANGUAGES) == expected
    packed = tmp_path / "mix.tsv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert read_rows(packed, languages=LANGUAGES) == expected


def test_tables_with_and_without_names(tmp_path: Path) -> None:
    row = [Row("en>fr", 1.0, "The river", "Le fleuve")]
    plain = write(tmp_path / "plain.tsv", "The river\tLe fleuve\n")
    assert read_rows(plain, languages=LANGUAGES, pair=("en", "fr")) == row
    named = write(tmp_path / "named.tsv", "id\tfr\ten-US\n7\tLe fleuve\tThe river\n8\tsans\t\n")
    assert read_rows(named, languages=LANGUAGES, pair=("en", "fr")) == row
    assert read_units(named, languages=LANGUAGES) == [{"fr": "Le fleuve", "en": "The river"}, {"fr": "sans"}]


def test_a_spreadsheets_quotes_are_read_as_it_means_them(tmp_path: Path) -> None:
    table = write(tmp_path / "a.tsv", 'en\tfr\n"He said ""yes""."\t"Il a dit « oui »."\n')
    assert read_units(table, languages=LANGUAGES) == [{"en": 'He said "yes".', "fr": '"Il a dit « oui »."'}]
    open_quotation = write(tmp_path / "b.tsv", 'en\tfr\n"Yes, he said.\t"Oui, dit-il.\n')
    assert read_units(open_quotation, languages=LANGUAGES) == [{"en": '"Yes, he said.', "fr": '"Oui, dit-il.'}]


def test_the_direction_is_that_of_most_units(tmp_path: Path) -> None:
    rows = "en\tfr\n\tseul\n" + "The river\tLe fleuve\n" * 2
    assert {row.task for row in read_rows(write(tmp_path / "a.tsv", rows), languages=LANGUAGES)} == {"en>fr"}
    turned = TMX.replace(
        "<body>", '<body><tu><tuv lang="fr"><seg>Oui.</seg></tuv><tuv lang="en"><seg>Yes.</seg></tuv></tu>'
    )
    more = turned.replace(
        "<tu><tuv xml:lang",
        "<tu><tuv lang='en'><seg>A</seg></tuv><tuv lang='fr'><seg>B</seg></tuv></tu><tu><tuv xml:lang",
    )
    assert {row.task for row in read_rows(write(tmp_path / "a.tmx", more), languages=LANGUAGES)} == {"en>fr"}


def test_long_codes_are_known_and_entities_of_the_files_own_are_not(tmp_path: Path) -> None:
    path = write(tmp_path / "memory.tmx", TMX.replace("en-GB", "eng").replace("fr-ML", "fra"))
    assert len(read_rows(path, languages=LANGUAGES)) == 2
    text = TMX.replace('SYSTEM "tmx14.dtd"', '[<!ENTITY co "Company">]').replace("Thanks.", "Thanks, &co;.")
    [row] = read_rows(write(tmp_path / "named.tmx", text), languages=LANGUAGES)
    assert row.source == "The river is high."


def test_a_tmx_with_inline_codes_regions_and_single_units(tmp_path: Path) -> None:
    path = write(tmp_path / "memory.tmx", TMX)
    assert read_rows(path, languages=LANGUAGES) == [
        Row("en>fr", 1.0, "The river is high.", "Le fleuve est haut."),
        Row("en>fr", 1.0, "Thanks.", "Merci."),
    ]
    assert "Der Fluss." in list(read_texts(path))


def test_a_tmx_does_not_read_other_files(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.txt", "do not read me")
    text = TMX.replace('SYSTEM "tmx14.dtd"', f'[<!ENTITY x SYSTEM "file://{secret}">]').replace("Alone.", "&x;")
    path = write(tmp_path / "evil.tmx", text.replace("Thanks.", "Thanks &x;."))
    assert "do not read me" not in repr(read_rows(path, languages=LANGUAGES))


def test_json_lines(tmp_path: Path) -> None:
    rows = [Row("en>fr", 1.0, "The river", "Le fleuve")]
    for value in (
        {"en": "The river", "fr": "Le fleuve", "id": 3},
        {"translation": {"en": "The river", "fr": "Le fleuve"}},
    ):
        assert read_rows(write(tmp_path / "a.jsonl", json.dumps(value) + "\n"), languages=LANGUAGES) == rows
    mix = {"task": "en>fr", "weight": 1, "source": "The river", "target": "Le fleuve"}
    assert read_rows(write(tmp_path / "b.jsonl", json.dumps(mix) + "\n"), languages=LANGUAGES) == rows


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.tsv", "", "is empty"),
        ("a.tmx", TMX.split("<tu>", maxsplit=1)[0] + "</body></tmx>", "is empty"),
        ("a.jsonl", "\n", "is empty"),
        ("a.tsv", "The river\tLe fleuve\n", "give --from and --to"),
        ("a.tsv", 'en\tfr\n"line one\nline two"\t"ligne un\nligne deux"\n', "row 2 has no second column"),
        ("a.tsv", 'en\tfr\nThe river\t"le\nfleuve"\n', "row 3 has no second column"),
        ("a.tsv", "en\tfr\nThe river\tLe fleuve\thaut\n", "row 2 has 3 columns, the first line has 2"),
        ("a.jsonl", "[" * 100_000, "line 1 is no JSON"),
        ("a.tsv", "en>fr\tmuch\ta\tb\n", "row 1: a row of a mix has"),
        ("a.tsv", "en>fr\t1\ta\tb\nen>fr\t0\ta\tb\n", "row 2: a row of a mix has"),
        ("a.jsonl", "{]\n", "line 1 is no JSON"),
        ("a.jsonl", "[1]\n", "line 1 is no JSON object"),
        ("a.jsonl", '{"translation": "x"}\n', "line 1: translation is no object"),
        ("a.tmx", "<tmx><body><tu>", "is no TMX"),
        ("a.tmx", "nothing like it", "is no TMX"),
        ("a.docx", "x", "memories are .tsv, .tmx or .jsonl"),
        ("a.tmx", TMX.replace("fr-ML", "en").replace('"FR"', '"en"'), "one side only"),
        ("a.tmx", TMX.replace("fr-ML", "es").replace('"FR"', '"es"'), "one side only"),
        ("a.tmx", TMX.replace('"de"', '"bm"'), "several languages"),
    ],
)
def test_what_is_said_of_a_bad_file(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(TrainingError, match=says):
        read_rows(write(tmp_path / name, text), languages=LANGUAGES)


@pytest.mark.parametrize("name", ["a.tsv.gz", "a.tmx.gz", "a.jsonl.gz"])
def test_a_compressed_file_that_is_cut_short_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress((TMX * 200).encode())[:-20])
    with pytest.raises(TrainingError, match=f"{name} is damaged or cut short|no JSON|no TMX|its languages"):
        read_rows(path, languages=LANGUAGES)
    path.write_bytes(b"no gzip")
    with pytest.raises(TrainingError, match=f"{name} is damaged or cut short"):
        read_rows(path, languages=LANGUAGES)


def test_languages_that_the_file_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"none of its 3 units has both en and bm; languages found: en in 3, fr in 2"
    ):
        read_rows(write(tmp_path / "a.tmx", TMX), languages=LANGUAGES, pair=("en", "bm"))
    latin = tmp_path / "latin.tsv"
    latin.write_bytes("en\tfr\nschool\técole\n".encode("latin-1"))
    with pytest.raises(TrainingError, match="line 2 is not UTF-8"):
        read_rows(latin, languages=LANGUAGES)


def test_filters_say_what_they_dropped() -> None:
    good = [
        Row("en>fr", 1.0, "The river is high.", "Le fleuve est haut."),
        Row("fr>bm", 1.0, "L'école", "Lakɔli"),
        Row("bm>fr", 1.0, "Lakòli", "L'école"),
        Row("sum-fr", 1.0, "mot " * 2000, "Court."),
        Row("en>fr", 1.0, "Bamako", "Bamako"),
        Row("en>fr", 1.0, "Yes.", "Oui, c'est bien."),
    ]
    bad = {
        "empty on one side": Row("en>fr", 1.0, "", "Rien"),
        "Bambara in another than the standard spelling": Row("fr>bm", 1.0, "L'école", "Lakòli"),
        "longer than 1500 characters": Row("en>fr", 1.0, "a " * 800, "b " * 800),
        "one side more than 4 times as long": Row("en>fr", 1.0, "Short one.", "Un " * 30),
        "not translated": Row("en>fr", 1.0, "The same text", "The same text"),
        "twice in the data": good[0],
    }
    found = kept([*good, *bad.values()], Filters())
    assert found.rows == good
    assert found.dropped == dict.fromkeys(bad, 1)


def test_evaluation_texts_are_kept_out_however_they_are_written(tmp_path: Path) -> None:
    write(tmp_path / "dev.tsv", "id\ten\tfr\n0\tThe river, “high”!\tL'été\n")
    write(tmp_path / "plain.txt", "One line\n")
    texts = held_back([tmp_path / "dev.tsv", tmp_path / "plain.txt"])
    rows = [
        Row("en>fr", 1.0, "the RIVER  high", "Autre chose"),
        Row("fr>en", 1.0, "Autre chose", "The river: high"),
        Row("en>fr", 1.0, "Summer", "l' E\u0301TE\u0301"),
        Row("en>fr", 1.0, "one line.", "Une ligne"),
        Row("en>fr", 1.0, "The river is high", "Le fleuve est haut"),
    ]
    assert without(rows, texts) == rows[-1:]


@given(st.text())
def test_normalised_is_stable(text: str) -> None:
    assert normalised(unicodedata.normalize("NFD", text)) == normalised(text)
    assert normalised(f"  {text}!") == normalised(text)
