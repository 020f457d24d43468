"""Languages as the world writes them, over a real server, and scripts that are not served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kunnafoni.client import AsyncClient
from kunnafoni.errors import InvalidInputError
from kunnafoni.languages import known_code, other_script

if TYPE_CHECKING:
    from tests.conftest import Served

TAGS = {
    "fr": ["fr", "FR", "fra", "fre", "fr-ML", "fr_ML", "fr-Latn-ML", "fra_Latn", "French", "français", "FRANÇAIS"],
    "en": ["en", "eng", "en-GB", "eng_Latn", "English", "anglais", " en "],
    "bm": ["bm", "bam", "bam_Latn", "bm-Latn-ML", "bambara", "Bambara", "bamanankan", "Bamanankan"],
}
UNKNOWN = ["sw", "swa_Latn", "x!", "fr!", "-", "frenchy", "fr--ML", "dyu", "zxx-Nkoo"]


@pytest.mark.parametrize(("code", "tag"), [(code, tag) for code, tags in TAGS.items() for tag in tags])
async def test_a_tag_or_a_name_is_read_as_its_language(echo: Served, code: str, tag: str) -> None:
    other = "en" if code == "fr" else "fr"
    async with AsyncClient(echo.address) as client:
        [from_it] = await client.translate(["I ni ce."], source=tag, target=other)
        [into_it] = await client.translate(["I ni ce."], source=other, target=tag)
        edition = (await client.summarize("I ni ce.", source=other, targets=[tag])).editions[0]
    assert from_it.source_language_code == code
    assert into_it.route[-1].target_language_code == code
    assert edition.language_code == code


@pytest.mark.parametrize("tag", UNKNOWN)
async def test_other_tags_are_refused_with_the_list(echo: Served, tag: str) -> None:
    async with AsyncClient(echo.address) as client:
        for field, source, target in (("source_language_code", tag, "fr"), ("target_language_code", "fr", tag)):
            with pytest.raises(InvalidInputError, match="give one of bm, en, fr") as caught:
                await client.translate(["I ni ce."], source=source, target=target)
            assert [violation.field for violation in caught.value.violations] == [field]


@pytest.mark.parametrize(
    ("tag", "script"),
    [("bm-Nkoo", "N'Ko"), ("nqo", "N'Ko"), ("bam_Nkoo", "N'Ko"), ("bm-Nkoo-ML", "N'Ko"), ("bm-Arab", "Arabic")],
)
async def test_a_script_that_is_not_served_is_named(echo: Served, tag: str, script: str) -> None:
    assert (known_code(tag), other_script(tag)) == (None, script)
    async with AsyncClient(echo.address, language="fr") as client:
        with pytest.raises(InvalidInputError, match=script) as caught:
            await client.translate(["I ni ce."], source="fr", target=tag)
        assert script in caught.value.french
        with pytest.raises(InvalidInputError, match=script) as caught:
            await client.summarize("I ni ce.", source="fr", targets=["en", tag])
    assert [violation.field for violation in caught.value.violations] == ["target_language_codes[1]"]
