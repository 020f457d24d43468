"""Category and severity of warnings, over a real server and in the table that `result.proto` publishes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kunnafoni.checks.severity import CLASSIFICATIONS, Category
from kunnafoni.rpc.results import warning_class
from kunnafoni.v1 import result_pb2, summarization_pb2, summarization_pb2_grpc, translation_pb2
from tests.service.rpc.articles import BODIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni_models.backend import Decoding, Output, Prompt
    from tests.conftest import Served

PROTO = Path(__file__).parents[3] / "protos" / "kunnafoni" / "v1" / "result.proto"
SOURCE = "The mayor paid 500 francs for the road to the market of the village and for the old bridge."
# What the model writes, by type and category of the warning that it gets.
OUTPUTS = {
    ("NUMBER_MISMATCH", "ACCURACY_MISTRANSLATION"): (
        "LE MAIRE A PAYÉ 700 FRANCS POUR LA ROUTE DU MARCHÉ DU VILLAGE ET POUR LE VIEUX PONT."
    ),
    ("LENGTH_RATIO", "ACCURACY_OMISSION"): "500 FRANCS.",
    ("LENGTH_RATIO", "ACCURACY_ADDITION"): f"500 {' '.join(f'MOT{chr(65 + n)}' for n in range(26))} {'X' * 200}",
    ("UNTRANSLATED", "ACCURACY_UNTRANSLATED"): SOURCE,
    ("REPETITION", "FLUENCY"): "LE MAIRE A PAYÉ 500 FRANCS POUR LA ROUTE, LA ROUTE, LA ROUTE, LA ROUTE ET LE PONT.",
}


@pytest.mark.parametrize(("kind", "category"), OUTPUTS)
async def test_a_warning_says_what_kind_of_error_it_is(echo: Served, kind: str, category: str) -> None:
    backend: Any = echo.model_pool.engine("echo").backend
    generate = backend.generate

    def generate_otherwise(prompts: Sequence[Prompt], decoding: Decoding, on_output: object) -> list[Output]:
        del on_output  # all are answered when the batch is
        return [replace(each, text=OUTPUTS[kind, category]) for each in generate(prompts, decoding)]

    backend.generate = generate_otherwise
    request = translation_pb2.TranslateRequest(contents=[SOURCE], source_language_code="en", target_language_code="fr")
    [translation] = (await echo.translation.Translate(request, timeout=60)).translations
    warnings = {
        (result_pb2.WarningType.Name(each.type), result_pb2.WarningCategory.Name(each.category), each.severity)
        for each in translation.segments[0].warnings
    }
    major = result_pb2.WARNING_SEVERITY_MAJOR
    assert (f"WARNING_TYPE_{kind}", f"WARNING_CATEGORY_{category}", major) in warnings


async def test_warnings_of_editions_have_them_too(echo: Served) -> None:
    stub = summarization_pb2_grpc.SummarizationServiceStub(echo.channel)
    article = summarization_pb2.Article(body=BODIES["en"], language_code="en")
    request = summarization_pb2.SummarizeRequest(article=article, target_language_codes=["fr"])
    [edition] = (await stub.Summarize(request, timeout=60)).editions
    warnings = [*edition.warnings, *(warning for point in edition.key_points for warning in point.warnings)]
    assert warnings
    for warning in warnings:
        assert warning.severity != result_pb2.WARNING_SEVERITY_UNSPECIFIED
        own = warning_class(result_pb2.WarningType.Name(warning.type).removeprefix("WARNING_TYPE_"), None)
        assert warning.severity == own.severity


def test_the_table_of_the_proto_is_that_of_the_code() -> None:
    rows = re.findall(r"// \| ([A-Z_]+)(, shorter|, longer)? +\| ([A-Z_]+) +\| ([A-Z]+) +\|", PROTO.read_text("utf-8"))
    published = {(name, which): (category, severity) for name, which, category, severity in rows}
    assert published.pop(("LENGTH_RATIO", ", longer")) == (Category.ADDITION, CLASSIFICATIONS["LENGTH_RATIO"].severity)
    assert {name: each for (name, _), each in published.items()} == CLASSIFICATIONS
    types = {name.removeprefix("WARNING_TYPE_") for name in result_pb2.WarningType.keys()} - {"UNSPECIFIED"}  # noqa: SIM118
    assert types == CLASSIFICATIONS.keys()
