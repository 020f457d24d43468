"""Downloads a checkpoint from the model hub when the user names one. Serving never imports this module.

It knows which files of a repository are needed, not what is in them. `HF_ENDPOINT`, `HF_HOME` and `HF_TOKEN` work as
the hub's library documents them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from kunnafoni_models.backend import ModelFileError
from kunnafoni_models.extras import needs_extra

_FILES = ("*.json", "*.model", "*.spm", "*.txt", "*.jinja", "README.md", "LICENSE*", "NOTICE*")


def fetch(hub_id: str, *, revision: str | None = None, allow_unsafe: bool = False) -> tuple[Path, str]:
    """Download the checkpoint `hub_id`, for example `facebook/nllb-200-distilled-600M`, into the hub's own cache.

    Weights are downloaded as safetensors; as pickled files only if there are no others and `allow_unsafe` is given.

    Args:
        hub_id: Owner and name.
        revision: Branch, tag or commit; None for the newest.
        allow_unsafe: Accept pickled weights if there are no others, and the checkpoint's own code.

    Returns:
        The folder, and the commit that was downloaded.

    Raises:
        ModelFileError: There is no such checkpoint, the hub cannot be reached, or the weights are pickled; in the last
            case nothing is downloaded.
    """
    with needs_extra("transformers", "fetching from the hub"):
        import httpx2  # noqa: PLC0415 - only this function needs the network
        import huggingface_hub  # noqa: PLC0415

    library = cast("Any", huggingface_hub)
    try:
        info = library.HfApi().model_info(hub_id, revision=revision)
        weights = _weights(hub_id, [file.rfilename for file in info.siblings], allow_unsafe=allow_unsafe)
        wanted = [*_FILES, weights, *(("*.py",) if allow_unsafe else ())]
        folder = library.snapshot_download(hub_id, revision=info.sha, allow_patterns=wanted)
    except (httpx2.HTTPError, OSError, ValueError) as error:  # the library's own errors derive from these
        line = (str(error) or type(error).__name__).strip().splitlines()[0]
        raise ModelFileError(
            f"{hub_id} cannot be fetched ({line}): check the name, the revision and the network, or copy the "
            "checkpoint to this machine and give its folder"
        ) from error
    return Path(folder), str(info.sha)


def _weights(hub_id: str, names: list[str], *, allow_unsafe: bool) -> str:
    """The pattern of the files that hold the weights."""
    top_level = [name for name in names if "/" not in name]
    if any(name.endswith(".safetensors") for name in top_level):
        return "*.safetensors"
    pickled = next((name for name in top_level if name.endswith(".bin")), None)
    if pickled is None:
        raise ModelFileError(
            f"{hub_id} has no weights that can be read here: it has {', '.join(top_level) or 'no files'}"
        )
    if not allow_unsafe:
        raise ModelFileError(
            f"{hub_id} has pickled weights only ({pickled}), which can run code when they are read: name a revision "
            "with safetensors (the hub offers conversions as --revision refs/pr/NUMBER; see the model's page), or give "
            "--allow-unsafe if you trust its origin"
        )
    return "*.bin"
