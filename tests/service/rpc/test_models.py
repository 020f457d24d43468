"""ModelService, health and reflection over a real server."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from kunnafoni.client import Client
from kunnafoni.v1 import model_pb2
from tests.conftest import echo_entry, serve

if TYPE_CHECKING:
    from kunnafoni.cli.local_server import LocalServer
    from tests.conftest import Served


async def test_the_limits_are_the_ones_that_are_kept(echo: Served) -> None:
    info = await echo.model.GetServerInfo(model_pb2.GetServerInfoRequest())
    assert info.limits.max_contents == 1_000
    assert info.limits.max_content_code_points == 200_000
    assert [language.code for language in info.languages] == ["bm", "en", "fr"]
    assert len(info.pairs) == 6
    assert all(pair.model_ids == ["echo"] for pair in info.pairs)


async def test_models_come_in_pages() -> None:
    entries = [replace(echo_entry(), id=f"echo-{number}") for number in range(5)]
    async with serve(*entries) as served:
        found: list[str] = []
        token = ""
        while True:
            page = await served.model.ListModels(model_pb2.ListModelsRequest(page_size=2, page_token=token))
            assert len(page.models) <= 2
            found += [model.id for model in page.models]
            token = page.next_page_token
            if not token:
                break
        assert found == [entry.id for entry in entries]
        for bad in (model_pb2.ListModelsRequest(page_size=-1), model_pb2.ListModelsRequest(page_token="nonsense")):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await served.model.ListModels(bad)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_the_embedded_model_states_its_licence_and_measured_quality(embedded: LocalServer) -> None:
    with Client(embedded.address) as client:
        [model] = [model for model in client.models() if model.id == "kunnafoni-270m"]
    assert model.state == model_pb2.MODEL_STATE_READY
    assert "Gemma" in model.licence.name
    assert not model.licence.non_commercial
    assert len(model.directions) == 6
    for direction in model.directions:
        metrics = {quality.metric: quality for quality in direction.quality}
        assert metrics["chrF++"].score > 0
        assert "nw:2" in metrics["chrF++"].signature
        assert {quality.measured_by for quality in direction.quality} == {"kunnafoni"}
        assert direction.in_use
    assert {each.language_code for each in model.summaries} == {"en", "fr"}
    assert all(quality.measured_by == "kunnafoni" for each in model.summaries for quality in each.quality)
    assert {each.language_code for each in model.summaries if each.in_use} == {"fr"}, "English is extracted"
    assert model.memory_bytes > 100 * 2**20


def test_published_figures_say_whose_they_are(embedded: LocalServer) -> None:
    with Client(embedded.address) as client:
        models = {model.id: model for model in client.models()}
    nllb = models["nllb-200-distilled-600m"]
    assert nllb.state == model_pb2.MODEL_STATE_UNLOADED
    for direction in nllb.directions:
        assert not direction.in_use
        [quality] = direction.quality
        assert "kunnafoni" not in quality.measured_by
        assert quality.measured_by
        assert quality.measure_date


def test_health_and_reflection(embedded: LocalServer) -> None:
    with grpc.insecure_channel(embedded.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", "kunnafoni.v1.TranslationService", "kunnafoni.v1.ModelService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        [listed] = stub.ServerReflectionInfo(iter([asked]))
        names = {service.name for service in listed.list_services_response.service}
        assert {"kunnafoni.v1.TranslationService", "kunnafoni.v1.ModelService", "grpc.health.v1.Health"} <= names
