"""Text for the training tests, written for them: pairs that a template makes, as many as are wanted."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_GOODS = (
    ("rice", "riz"),
    ("salt", "sel"),
    ("bread", "pain"),
    ("millet", "mil"),
    ("coffee", "café"),
    ("cotton", "coton"),
)
_PLACES = (("old town", "la vieille ville"), ("market", "le marché"), ("school", "l'école"), ("river", "le fleuve"))


def pairs(count: int) -> list[tuple[str, str]]:
    """Different English and French sentences, one the translation of the other."""
    made = [
        (f"The price of {good} near the {place} rose by {number} percent, said the minister.",
         f"Le prix du {bien} près de {lieu} a augmenté de {number} pour cent, dit le ministre.")
        for number, (good, bien), (place, lieu) in product(range(2, 200), _GOODS, _PLACES)
    ]  # fmt: skip
    return made[:count]


def memory(path: Path, count: int = 240) -> Path:
    """A memory of `count` pairs with a first line that names the languages."""
    path.write_text("en\tfr\n" + "".join(f"{english}\t{french}\n" for english, french in pairs(count)), "utf-8")
    return path
