"""Reads the catalog folders into entries, and loads the model of an entry. It never touches the network.

It knows no backend by name: the entry's `backend` names the module `kunnafoni_models.backends.<backend>_backend`, whose
function `load` is a `Loader`. The module, and with it the runtime, is imported when the first such model loads.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from kunnafoni_models.backend import Backend, CatalogError, ModelLoadError
from kunnafoni_models.catalog.entry_reader import FIGURES_SUFFIX, read_entry, read_figures
from kunnafoni_models.extras import MissingExtraError
from kunnafoni_models.machine.free_memory import check_free_memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kunnafoni_models.catalog.entry import CatalogEntry, Figures, Option

BUILT_IN_CATALOG = Path(__file__).parent / "catalog"


class Loader(Protocol):
    """The type of the function `load` of a backend's module."""

    def __call__(self, entry: CatalogEntry, *, threads: int, parallel: int, device: str) -> Backend:
        """See `registry.load`."""
        ...


def catalog(folders: Sequence[Path] = ()) -> dict[str, CatalogEntry]:
    """Read the built-in catalog and then `folders`, in their order: every `*.toml` in them is one entry.

    A `*.figures.toml` is no entry: it has the figures measured for a model of the catalog, and is ignored once the
    model has another fingerprint.

    Args:
        folders: The user's own catalogs. An entry replaces one with the same id from an earlier folder.

    Returns:
        The entries by id, ordered by id.

    Raises:
        CatalogError: An entry or a file of figures is malformed, one folder has an id twice, or a folder is missing.
    """
    entries: dict[str, CatalogEntry] = {}
    measured: list[Figures] = []
    for folder in (BUILT_IN_CATALOG, *folders):
        if not folder.is_dir():
            raise CatalogError(f"the catalog folder {folder} does not exist")
        of_folder: dict[str, CatalogEntry] = {}
        for path in sorted(folder.glob("*.toml")):
            if path.name.endswith(FIGURES_SUFFIX):
                measured.append(read_figures(path))
                continue
            entry = read_entry(path)
            if entry.id in of_folder:
                raise CatalogError(f"{path}: the id {entry.id} is in another file of this folder already")
            of_folder[entry.id] = entry
        entries |= of_folder
    for figures in measured:
        entry = entries.get(figures.id)
        if entry and entry.fingerprint == figures.fingerprint:
            entries[entry.id] = entry.with_figures(figures)
    return dict(sorted(entries.items()))


def load(
    entry: CatalogEntry,
    *,
    threads: int = 0,
    parallel: int = 1,
    device: str = "auto",
    options: Mapping[str, Option] | None = None,
) -> Backend:
    """Load the model of `entry`. Blocking: seconds for a small model.

    Args:
        entry: From `catalog`, or built in code.
        threads: Processor threads of all its batches together; 0 is every core that this process may use.
        parallel: Batches that should run at the same time; 0 is as many as suit the threads. The attribute `parallel`
            of the backend says how many can run: one on transformers, for example.
        device: `cpu`, `cuda`, or `auto` for the fastest one available.
        options: They replace options of the same name in the entry, for example `{"compute_type": "float32"}`.

    Raises:
        ModelFileError: A file is missing or differs from the entry.
        ModelLoadError: There is no such backend or device, the extra with its runtime is not installed, there is too
            little memory, or the runtime cannot load the files.
    """
    module = f"kunnafoni_models.backends.{entry.backend}_backend"
    if find_spec(module) is None:
        raise ModelLoadError(
            f"the model {entry.id} needs the backend {entry.backend}, which this version does not have"
        )
    check_free_memory(entry.id, sum(file.bytes for file in entry.files))
    configured = replace(entry, options={**entry.options, **(options or {})})
    try:
        loader = cast("Loader", import_module(module).load)
        return loader(configured, threads=threads, parallel=parallel, device=device)
    except MissingExtraError as error:
        raise ModelLoadError(f"{entry.id}: {error}") from error
