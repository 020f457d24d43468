"""The layers of CONTRIBUTING.md, read off the imports, and what the light commands must not import."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SERVICE = ROOT / "service" / "kunnafoni"
MODELS = ROOT / "models" / "kunnafoni_models"

# Who may import whom inside the service: the parts of each layer see those of the layers below, never above.
LAYERS = [
    {"cli", "__main__"},
    {"client"},
    {"rpc"},
    {"app"},
    {"jobs"},
    {"summarization"},
    {"translation", "documents"},
    {"checks", "engine", "storage"},
    {"text"},
    {"errors", "languages", "status", "config", "v1"},
]
WIRE_USERS = {"rpc", "client", "cli", "v1"}
# What a program of somebody else's has to bear that calls a server: gRPC, messages, and what reads both.
CLIENT_USES = {"client", "errors", "status", "v1"}
NOT_FOR_CLIENTS = {"pydantic", "numpy", "sqlalchemy", "typer", "rich", "lxml", "kunnafoni_models"}
HEAVY = {"torch", "transformers", "ctranslate2", "onnx", "onnxruntime", "ray"}


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it, also for types alone."""
    return _names(list(ast.walk(ast.parse(path.read_text("utf-8")))))


def imports_when_loaded(path: Path) -> set[str]:
    """The modules that a file imports when it is imported itself: not in functions, not for types alone."""
    tree = ast.parse(path.read_text("utf-8"))
    return _names([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)])


def _names(nodes: list[ast.AST] | list[ast.stmt]) -> set[str]:
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def part_of(path: Path) -> str:
    return path.relative_to(SERVICE).parts[0].removesuffix(".py")


SOURCES = [path for path in SERVICE.rglob("*.py") if "v1" not in path.parts and path.parent.name != "migrations"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SERVICE)))
def test_imports_point_downwards(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return
    depth = next((i for i, layer in enumerate(LAYERS) if part in layer), None)
    assert depth is not None, f"{part} is in no layer: add it to LAYERS"
    above = {name for layer in LAYERS[:depth] for name in layer}
    for name in imports_of(path):
        package, _, rest = name.partition(".")
        if package == "kunnafoni" and rest:
            used = rest.split(".")[0]
            assert used not in above, f"{path.name} imports {name} from a layer above"
            assert used not in {"v1", "status"} or part in WIRE_USERS, f"{path.name} imports the wire"
        assert package != "grpc" or part in WIRE_USERS, f"{path.name} imports grpc"
        if part in {"jobs", "documents", "storage"}:
            assert not name.startswith("google."), f"{path.name} imports protobuf"


def test_no_modules_import_each_other_in_a_circle() -> None:
    folders = {"kunnafoni": SERVICE, "kunnafoni_models": MODELS}
    modules = {
        ".".join((package, *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__"): path
        for package, folder in folders.items()
        for path in folder.rglob("*.py")
    }
    graph = {name: (imports_when_loaded(path) & modules.keys()) - {name} for name, path in modules.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_models_never_import_the_service() -> None:
    for path in MODELS.rglob("*.py"):
        assert not any(name.split(".")[0] in {"kunnafoni", "grpc"} for name in imports_of(path)), path


@pytest.mark.parametrize("module", ["kunnafoni.cli", "kunnafoni.rpc.server", "kunnafoni.client"])
def test_heavy_packages_are_imported_only_when_used(module: str) -> None:
    assert packages_imported_with(module) & HEAVY == set()


def test_clients_import_nothing_of_the_server() -> None:
    assert packages_imported_with("kunnafoni.client") & (NOT_FOR_CLIENTS | HEAVY) == set()
    for path in (SERVICE / "client").glob("*.py"):
        used = {name.split(".")[1] for name in imports_of(path) if name.startswith("kunnafoni.")}
        assert used <= CLIENT_USES, path.name


def packages_imported_with(module: str) -> set[str]:
    """The packages that a fresh Python has imported once it has imported `module`."""
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(result.stdout.split())
