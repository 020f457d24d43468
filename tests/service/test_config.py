"""Wrong settings, told so that a person can mend them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kunnafoni.config import SettingsError, load_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SERVER", "nohost", "server: 'nohost': give host:port"),
        ("METRICS_ADDRESS", "localhost", "metrics_address: 'localhost': give host:port, or nothing"),
        ("ROUTES", '{"enfr": "a"}', "routes.enfr: 'enfr': write it as en>fr"),
        ("ROUTES", "en>fr=a", 'wrong setting: KUNNAFONI_ROUTES is not JSON, as {"en>fr": "MODEL"}'),
        ("SUMMARIES", "fr=a", 'wrong setting: KUNNAFONI_SUMMARIES is not JSON, as {"fr": "MODEL"}'),
        ("THREADS", "-1", "threads: Input should be greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"KUNNAFONI_{variable}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).endswith(message)
