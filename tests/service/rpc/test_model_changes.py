"""Several models at once: which one is taken, what health says when some fail, and changes while the server runs."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kunnafoni.app.model_loading import load_models, make_engines, reload_models
from kunnafoni.cli.local_server import local_server
from kunnafoni.client import Client
from kunnafoni.config import Settings
from kunnafoni.translation.model_pool import ModelPool
from kunnafoni.v1 import model_pb2, translation_pb2
from kunnafoni_models.backend import CatalogError
from kunnafoni_models.catalog.entry import Quality
from tests.conftest import echo_entry, serve

if TYPE_CHECKING:
    from pathlib import Path

    from kunnafoni.cli.local_server import LocalServer
    from kunnafoni_models.catalog.entry import CatalogEntry
    from tests.conftest import Served

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
REQUEST = translation_pb2.TranslateRequest(
    contents=["The market opens."], source_language_code="en", target_language_code="fr"
)


def model(model_id: str, *, revision: str = "1", **options: Any) -> CatalogEntry:
    return replace(echo_entry(**options), id=model_id, revision=revision)


def measured(model_id: str, score: float) -> CatalogEntry:
    """An echo model with a quality in each of its directions."""
    entry = model(model_id)
    return replace(
        entry,
        quality=tuple(
            Quality(
                source=each.source,
                target=each.target,
                metric="chrF++",
                score=score,
                signature="none",
                test_set="none",
                decoding="greedy",
                date=date(2026, 1, 1),
            )
            for each in entry.directions
        ),
    )


async def models_of(served: Served, source: str = "en", target: str = "fr") -> list[str]:
    request = translation_pb2.TranslateRequest(
        contents=["Market."], source_language_code=source, target_language_code=target
    )
    [translation] = (await served.translation.Translate(request)).translations
    return [hop.model_id for hop in translation.route]


async def health(served: Served, name: str) -> int:
    stub: Any = health_pb2_grpc.HealthStub(served.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=name))).status


async def test_the_operators_model_goes_before_a_better_measured_one() -> None:
    good, poor = measured("good", 60.0), measured("poor", 20.0)
    async with serve(good, poor) as served:
        assert await models_of(served) == ["good"]
    async with serve(good, poor, routes={"en>fr": "poor"}) as served:
        assert await models_of(served) == ["poor"]
        assert await models_of(served, "fr", "en") == ["good"]


async def test_the_list_tells_which_model_is_used() -> None:
    good, poor = measured("good", 60.0), measured("poor", 20.0)
    async with serve(good, poor, routes={"en>fr": "poor"}, summaries={"fr": "good"}) as served:
        listed = {each.id: each for each in (await served.model.ListModels(model_pb2.ListModelsRequest())).models}
        used = {
            model_id: {
                f"{each.source_language_code}>{each.target_language_code}" for each in found.directions if each.in_use
            }
            for model_id, found in listed.items()
        }
        assert used["poor"] == {"en>fr"}
        assert len(used["good"]) == 5
        summaries = {each.language_code: each.in_use for each in listed["good"].summaries}
        assert summaries["fr"]


async def test_a_summariser_that_nobody_measured_does_not_displace_the_articles_sentences() -> None:
    extracting = replace(model("extracting"), extract_languages=("en",))
    score = Quality("en", "en", "ROUGE-L", 30.0, test_set="none", decoding="greedy", date=date(2026, 1, 1))
    better = replace(model("better"), quality=(score,))
    for other, settings, used in (
        (model("new"), {}, None),
        (model("new"), {"summaries": {"en": "new"}}, "new"),
        (better, {}, "better"),
    ):
        async with serve(extracting, other, **settings) as served:
            english, french = served.model_pool.summary_hop("en"), served.model_pool.summary_hop("fr")
            assert (english and english.model_id, served.model_pool.extracts_better("en")) == (used, used is None)
            assert french


async def test_health_tells_which_service_a_failed_model_takes_down() -> None:
    summaries_only = replace(model("writer"), directions=())
    async with serve(summaries_only, model("broken", no_such_option=1)) as served:
        states = {name: await health(served, name) for name in ("", "models/writer", "models/broken")}
        assert states == {"": SERVING, "models/writer": SERVING, "models/broken": NOT_SERVING}
        assert await health(served, "kunnafoni.v1.TranslationService") == NOT_SERVING
        assert await health(served, "kunnafoni.v1.SummarizationService") == SERVING
        assert await health(served, "kunnafoni.v1.JobService") == NOT_SERVING  # nobody has opened a store here
        listed = {each.id: each for each in (await served.model.ListModels(model_pb2.ListModelsRequest())).models}
        assert listed["broken"].state == model_pb2.MODEL_STATE_FAILED
        assert "no_such_option" in listed["broken"].state_detail


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (Settings(routes={"en>fr": "nobody"}), "nobody"),
        (Settings(routes={"en>fr": "writer"}), "writer does not translate en>fr, nor anything else"),
        (Settings(summaries={"bm": "writer"}), "writer does not summarise bm, only en, fr"),
    ],
)
async def test_wrong_choices_are_named(settings: Settings, named: str) -> None:
    writer = replace(model("writer"), directions=())
    with pytest.raises(CatalogError, match=named):
        ModelPool({"writer": writer}, make_engines(settings), routes=settings.routes, summaries=settings.summaries)


def write_entry(folder: Path, model_id: str, revision: str = "1", more: str = "") -> None:
    (folder / f"{model_id}.toml").write_text(
        f'id = "{model_id}"\nrevision = "{revision}"\nbackend = "echo"\nsummary_languages = []\n'
        '[languages]\nen = "English"\nfr = "French"\n[directions]\n"en>fr" = {}\n'
        "[limits]\ntranslate_input_tokens = 250\nsummarize_input_tokens = 450\nsummarize_output_tokens = 120\n"
        '[licence]\nname = "none"\nnon_commercial = false\nsummary = "none"\n' + more
    )


FIGURES = """
[[quality]]
metric = "chrF++"
test_set = "ours"
decoding = "greedy"
date = 2026-11-26
scores = { "en>fr" = 51.0 }
"""


def hop_of(client: Client) -> tuple[str, str]:
    [translation] = client.translate(["The market opens."], source="en", target="fr")
    [hop] = translation.route
    return hop.model_id, hop.model_revision


def reload(server: LocalServer, said: str) -> None:
    """Send SIGHUP and wait until the log holds what it leads to."""
    before = len(server.log.read_text())
    server.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 60
    while said not in server.log.read_text()[before:]:
        assert time.monotonic() < end, server.log.read_text()
        time.sleep(0.05)


def wait_for_health(server: LocalServer, name: str, state: int) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        told = stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=30)
        assert any(each.status == state for each in told)


def test_sighup_during_the_start_is_obeyed_once_there_are_models(tmp_path: Path) -> None:
    # The signal comes as soon as anything worth mentioning is imported.
    code = """if True:
        import os, signal, sys
        def hook(event, arguments):
            if event == "import" and arguments[0] == "kunnafoni.cli":
                os.kill(os.getpid(), signal.SIGHUP)
        sys.addaudithook(hook)
        from kunnafoni.__main__ import main
        main()
    """
    serve_echo = ["serve", "--address", "localhost:0", "--model", "echo", "--data-dir", str(tmp_path)]
    log = tmp_path / "log"
    with (
        log.open("w") as output,
        subprocess.Popen([sys.executable, "-c", code, *serve_echo], stderr=output) as process,
    ):
        end_s = time.monotonic() + 60
        while log.read_text().count("model echo: READY") < 2:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end_s
            time.sleep(0.05)
        process.terminate()


def test_sighup_loads_replaces_and_unloads_models_while_calls_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    catalog = tmp_path / "catalog"
    catalog.mkdir()
    write_entry(catalog, "first")
    config = tmp_path / "kunnafoni.toml"
    config.write_text('models = ["first"]\nmodels_dir = "catalog"\n')
    with local_server() as server, Client(server.address) as client:
        assert hop_of(client) == ("first", "1")

        write_entry(catalog, "second")
        config.write_text('models = ["first"]\nmodels_dir = "catalog"\n[routes]\n"en>fr" = "second"\n')
        reload(server, "model second: READY")
        assert hop_of(client) == ("second", "1")
        wait_for_health(server, "models/second", SERVING)

        config.write_text('models = ["none-such"]\nmodels_dir = "catalog"\n')
        reload(server, "none-such")
        config.write_text("modls = 3\n")
        reload(server, "modls")
        assert hop_of(client) == ("second", "1"), "wrong settings must change nothing"

        config.write_text('models = ["second"]\nmodels_dir = "catalog"\n')
        write_entry(catalog, "second", more=FIGURES)
        reload(server, "model second: READY")
        [figure] = next(each for each in client.models() if each.id == "second").directions[0].quality
        assert figure.score == 51
        write_entry(catalog, "second", more='[[files]]\nname = "lost.bin"\nbytes = 3\nsha256 = "' + "0" * 64 + '"\n')
        reload(server, "lost.bin")
        assert hop_of(client) == ("second", "1"), "a damaged model must not take the place of a good one"

        write_entry(catalog, "first", revision="2")
        config.write_text('models = ["first"]\nmodels_dir = "catalog"\n')
        reload(server, "model first: READY")
        assert hop_of(client) == ("first", "2")
        states = {each.id: each.state for each in client.models()}
        assert states["second"] == model_pb2.MODEL_STATE_UNLOADED
        wait_for_health(server, "models/second", NOT_SERVING)


async def test_new_figures_alone_reload_nothing(tmp_path: Path) -> None:
    settings = Settings(models=("first",), models_dir=tmp_path)
    write_entry(tmp_path, "first")
    engines = make_engines(settings)
    model_pool = load_models(settings, engines)
    await engines.wait()
    engine = engines.engine("first")
    write_entry(tmp_path, "first", more=FIGURES)
    await reload_models(model_pool, engines, settings)
    assert engines.engine("first") is engine
    assert [each.score for each in model_pool.entries["first"].quality] == [51]
    await engines.close()


async def test_a_batcher_that_falls_over_a_bug_is_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    words = "words of an article"

    def bug(_self: object) -> None:
        raise RuntimeError(words)

    async with serve(model("falls"), model("stands")) as served:
        monkeypatch.setattr("kunnafoni.engine.batcher.Batcher._next_queue", bug)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.translation.Translate(REQUEST)
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        monkeypatch.undo()
        async with asyncio.timeout(60):
            stub: Any = health_pb2_grpc.HealthStub(served.channel)
            async for state in stub.Watch(health_pb2.HealthCheckRequest(service="models/falls")):
                if state.status == NOT_SERVING:
                    break
        assert await models_of(served) == ["stands"]
        listed = {each.id: each for each in (await served.model.ListModels(model_pb2.ListModelsRequest())).models}
        assert "RuntimeError" in listed["falls"].state_detail
    assert "_next_queue" in caplog.text, "the trace is logged"
    assert words not in caplog.text
