"""Apache-2.0 stays true: no package that is used forces another licence on the product, and NOTICE names them."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

from tests.test_extras import closure

if TYPE_CHECKING:
    from importlib.metadata import Distribution

ROOT = Path(__file__).parents[1]
# LGPL, as psycopg's, is no such licence; of alternatives one that is none is enough.
_COPYLEFT = re.compile(r"\bA?GPL|GNU (Affero )?General Public", re.IGNORECASE)


def licence_of(package: Distribution) -> str:
    """What the package says first: an SPDX expression, else its classifiers, else a name."""
    told = package.metadata.json
    classifiers = [each for each in told.get("classifier", []) if each.startswith("License ::")]
    return str(told.get("license_expression") or " AND ".join(classifiers) or told.get("license", ""))


def test_no_package_that_is_used_is_copyleft() -> None:
    licences = {name: licence_of(distribution(name)) for name in closure("dev")}
    assert {"grpcio", "onnxruntime", "torch", "pytest"} <= licences.keys()
    wrong = {name: licence for name, licence in licences.items() if all(map(_COPYLEFT.search, licence.split(" OR ")))}
    assert not wrong


def test_notice_names_each_package_that_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *(each for name, extra in extras.items() if name != "dev" for each in extra)]
    names = {re.split(r"[\[<>=~!;]", each, maxsplit=1)[0] for each in asked}
    notice = (ROOT / "NOTICE").read_text("utf-8")
    listed = dict(re.findall(r"^  (\S+) +(\S.*)$", notice, re.MULTILINE))
    assert listed.keys() == {name for name in names if not name.startswith("kunnafoni")}
