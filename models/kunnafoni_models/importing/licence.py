"""The licence of a checkpoint, from its model card. It knows the head of a card, and which names mean no business."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kunnafoni_models.backend import CatalogError
from kunnafoni_models.catalog.entry import Licence

if TYPE_CHECKING:
    from pathlib import Path

_HEAD = re.compile(r"\A---\s*\n(.*?)\n---", re.DOTALL)
_FIELD = re.compile(r"^(license|license_name):[ \t]*['\"]?([^'\"\n#]+?)['\"]?[ \t]*(?:#.*)?$", re.MULTILINE)
_NON_COMMERCIAL = re.compile(r"(^|[-_ ])(nc|non[-_ ]?commercial|research)([-_ ]|$)", re.IGNORECASE)


def read_licence(
    checkpoint: Path, *, name: str = "", non_commercial: bool | None = None, otherwise: Licence | None = None
) -> Licence:
    """The licence of the checkpoint in the folder `checkpoint`.

    Args:
        checkpoint: Holds `README.md`, the model card, and perhaps `LICENSE`.
        name: The licence if it is known otherwise; empty to read it off the card.
        non_commercial: Whether it forbids commercial use; None to tell by its name.
        otherwise: The licence if neither `name` nor the card says it.

    Raises:
        CatalogError: Nobody says it.
    """
    name = name or _on_card(checkpoint)
    if not name and otherwise:
        return otherwise
    if not name:
        raise CatalogError(
            f"{checkpoint / 'README.md'} states no licence: find out under what terms the model may be used and give "
            "--license NAME"
        )
    forbidden = bool(_NON_COMMERCIAL.search(name)) if non_commercial is None else non_commercial
    summary = "Commercial use is not allowed." if forbidden else "See the licence's own text for its terms."
    file = next((each for each in ("LICENSE", "LICENSE.txt") if (checkpoint / each).is_file()), None)
    return Licence(name, forbidden, summary, file)


def _on_card(checkpoint: Path) -> str:
    card = checkpoint / "README.md"
    head = _HEAD.match(card.read_text("utf-8", errors="replace")) if card.is_file() else None
    fields = dict(_FIELD.findall(head[1])) if head else {}
    licence = str(fields.get("license", ""))
    return str(fields.get("license_name", "")) if licence in {"", "other", "unknown"} else licence
