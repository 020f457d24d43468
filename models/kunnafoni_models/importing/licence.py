"""The licence of a checkpoint, from its model card. It knows a card's front matter and non-commercial licences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kunnafoni_models.backend import CatalogError
from kunnafoni_models.catalog.entry import Licence

if TYPE_CHECKING:
    from pathlib import Path

_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---", re.DOTALL)
_FIELD = re.compile(r"^(license|license_name):[ \t]*['\"]?([^'\"\n#]+?)['\"]?[ \t]*(?:#.*)?$", re.MULTILINE)
_NON_COMMERCIAL = re.compile(r"(^|[-_ ])(nc|non[-_ ]?commercial|research)([-_ ]|$)", re.IGNORECASE)


def read_licence(
    checkpoint: Path, *, name: str = "", non_commercial: bool | None = None, default: Licence | None = None
) -> Licence:
    """The licence of the checkpoint in the folder `checkpoint`.

    Args:
        checkpoint: Holds `README.md`, the model card, and perhaps `LICENSE`.
        name: The licence if the user names it; empty to read it from the card.
        non_commercial: Whether it forbids commercial use; None to derive that from its name.
        default: The licence if neither `name` nor the card names one.

    Raises:
        CatalogError: No licence is named anywhere.
    """
    name = name or _on_card(checkpoint)
    if not name and default:
        return default
    if not name:
        raise CatalogError(
            f"{checkpoint / 'README.md'} states no licence: find out under what terms the model may be used and give "
            "--license NAME"
        )
    forbidden = bool(_NON_COMMERCIAL.search(name)) if non_commercial is None else non_commercial
    summary = "Commercial use is not allowed." if forbidden else "See the licence's own text for its terms."
    file = next((name for name in ("LICENSE", "LICENSE.txt") if (checkpoint / name).is_file()), None)
    return Licence(name, forbidden, summary, file)


def _on_card(checkpoint: Path) -> str:
    card = checkpoint / "README.md"
    front_matter = _FRONT_MATTER.match(card.read_text("utf-8", errors="replace")) if card.is_file() else None
    fields = dict(_FIELD.findall(front_matter[1])) if front_matter else {}
    licence = str(fields.get("license", ""))
    return str(fields.get("license_name", "")) if licence in {"", "other", "unknown"} else licence
