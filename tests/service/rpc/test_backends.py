"""A server on another backend than its catalog says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kunnafoni.async_client import AsyncClient
from kunnafoni.cli.local_server import local_server
from kunnafoni.config import Settings
from kunnafoni.fleet import catalog_of
from kunnafoni_models.backend import CatalogError

if TYPE_CHECKING:
    from pathlib import Path

EMBEDDED = "kunnafoni-270m"
TEXTS = [f"The minister said on Monday that {number} schools will open. Nobody answered." for number in range(20)]


def test_settings_replace_the_backend_of_a_model_and_its_answers_count_as_others() -> None:
    entries, replaced = catalog_of(Settings()), catalog_of(Settings(backends={EMBEDDED: "openvino"}))
    assert replaced[EMBEDDED].backend == "openvino"
    assert replaced[EMBEDDED].fingerprint != entries[EMBEDDED].fingerprint
    assert {name for name in entries if entries[name] != replaced[name]} == {EMBEDDED}


def test_a_backend_for_a_model_that_is_not_there_is_told() -> None:
    with pytest.raises(CatalogError, match="no model nobody"):
        catalog_of(Settings(backends={"nobody": "openvino"}))


async def test_on_openvino_many_callers_get_what_each_gets_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUNNAFONI_BACKENDS", f'{{"{EMBEDDED}": "openvino"}}')
    monkeypatch.setenv("KUNNAFONI_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("KUNNAFONI_CACHE_BYTES", "0")
    with local_server() as server:
        async with AsyncClient(server.address) as client:

            async def translate(text: str) -> str:
                [translation] = await client.translate([text], source="en", target="fr")
                return translation.text

            together = await asyncio.gather(*map(translate, TEXTS))
            alone = [await translate(text) for text in TEXTS[:5]]
    assert together[:5] == alone
    assert all(str(number) in text for number, text in enumerate(together))
