"""Fetches a checkpoint from the model hub, only when somebody asks for it by name. Serving never comes here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from kunnafoni_models.backend import ModelFileError

_FILES = ("*.json", "*.safetensors", "*.model", "*.spm", "*.txt", "*.jinja", "README.md", "LICENSE*", "NOTICE*")
_UNSAFE_FILES = ("*.bin", "*.py")


def fetch(hub_id: str, *, revision: str | None = None, allow_unsafe: bool = False) -> tuple[Path, str]:
    """Download the checkpoint `hub_id`, as `facebook/nllb-200-distilled-600M`, into the hub's own cache.

    Args:
        hub_id: Owner and name.
        revision: Branch, tag or commit; None for the newest.
        allow_unsafe: Fetch pickled weights and code too.

    Returns:
        The folder, and the commit that was fetched.

    Raises:
        ModelFileError: There is no such checkpoint, or no way to it.
    """
    import huggingface_hub  # noqa: PLC0415 - nobody else needs the network
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled  # noqa: PLC0415

    patterns = [*_FILES, *(_UNSAFE_FILES if allow_unsafe else ())]
    try:
        folder = Path(
            cast("Any", huggingface_hub).snapshot_download(hub_id, revision=revision, allow_patterns=patterns)
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError, ValueError) as error:
        line = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise ModelFileError(
            f"{hub_id} cannot be fetched ({line}): check the name and the network, or copy the checkpoint to this "
            "machine and give its folder"
        ) from error
    return folder, folder.name
