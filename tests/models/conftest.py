"""The embedded model, loaded once for all tests that run it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kunnafoni_models import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni_models.backend import Backend
    from kunnafoni_models.catalog.entry import CatalogEntry

EMBEDDED = "kunnafoni-270m"


@pytest.fixture(scope="session")
def embedded_entry() -> CatalogEntry:
    return registry.catalog()[EMBEDDED]


@pytest.fixture(scope="session", params=["onnxruntime", "ctranslate2"])
def embedded_model(embedded_entry: CatalogEntry, request: pytest.FixtureRequest) -> Iterator[Backend]:
    model = registry.load(replace(embedded_entry, backend=request.param))
    yield model
    model.close()
