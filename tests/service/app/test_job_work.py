"""Jobs on the whole pipeline: the same results as calls of their own, after the calls."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import grpc

from kunnafoni.app.job_work import JobWork, revisions_of
from kunnafoni.app.model_loading import make_engines
from kunnafoni.app.pipeline import Pipeline
from kunnafoni.cli.job_messages import output_record
from kunnafoni.config import Settings
from kunnafoni.documents.values import TranslatedText
from kunnafoni.rpc.job_codec import JobCodec
from kunnafoni.translation.model_pool import ModelPool
from kunnafoni.v1 import job_pb2, result_pb2, summarization_pb2
from tests.conftest import echo_entry
from tests.service.jobs.calls import create, create_job, read, requests, spec, texts, wait_for_end
from tests.service.jobs.job_server import serve

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


@asynccontextmanager
async def pipeline(**options: object) -> AsyncGenerator[JobWork]:
    """The pipeline of a server, on the echo backend."""
    entry = echo_entry(**options)
    engines = make_engines(Settings())
    engines.load(entry.id, entry)
    await engines.wait()
    model_pool = ModelPool({entry.id: entry}, engines)
    try:
        items = Pipeline(Settings(), model_pool).items
        yield JobWork(items, JobCodec(), revisions=partial(revisions_of, model_pool))
    finally:
        await engines.close()


def only(target: str) -> job_pb2.JobOptions:
    return job_pb2.JobOptions(target_language_codes=[target])


async def test_items_become_what_calls_would_give(tmp_path: Path) -> None:
    async with pipeline() as work, serve(f"sqlite:///{tmp_path}/jobs.db", work) as running:
        items = [
            job_pb2.JobItem(id="article", text="The market opens. It is full.\n\nPrices fall."),
            job_pb2.JobItem(id="french", text="Le marché ouvre ce matin.", options=only("en")),
            job_pb2.JobItem(id="odd", text="qwzx vbnm"),
            job_pb2.JobItem(id="named", text="qwzx vbnm", options=job_pb2.JobOptions(source_language_code="en")),
        ]
        job = await create(running.stub, items, "fr", "bm")
        ended = await wait_for_end(running.stub, job.name)
        assert (ended.progress.done_items, ended.progress.failed_items) == (3, 1)
        article, french, odd, named = await read(running.stub, job.name)
        assert [len(translation.segments) for translation in article.translations] == [3, 3]
        assert "\n\n[en>fr] PRICES FALL." in article.translations[0].text
        assert [translation.source_language_code for translation in french.translations] == ["fr"]
        assert french.translations[0].route[0].target_language_code == "en"
        assert "not recognised" in odd.error.message
        assert len(named.translations) == 2


async def test_spans_count_in_the_unit_that_the_job_or_the_item_asks_for(tmp_path: Path) -> None:
    text = "📻 The market opens. Prices fall."
    utf16 = job_pb2.JobSpec(
        kind=job_pb2.JOB_KIND_TRANSLATE,
        options=job_pb2.JobOptions(
            target_language_codes=["fr"], source_language_code="en", encoding_type=result_pb2.ENCODING_TYPE_UTF16
        ),
    )
    items = [
        job_pb2.JobItem(id="as the job", text=text),
        job_pb2.JobItem(
            id="its own", text=text, options=job_pb2.JobOptions(encoding_type=result_pb2.ENCODING_TYPE_UTF8)
        ),
    ]
    async with pipeline() as work, serve(f"sqlite:///{tmp_path}/jobs.db", work) as running:
        for job_spec, units in ((utf16, ("utf-16-le", "utf-8")), (spec("fr"), ("utf-32-le", "utf-8"))):
            job_spec.options.source_language_code = "en"
            job = (await create_job(running.stub, requests(job_spec, items))).job
            await wait_for_end(running.stub, job.name)
            results = await read(running.stub, job.name, include_items=True)
            assert [result.reused for result in results] == [False, job_spec is not utf16]
            for result, unit in zip(results, units, strict=True):
                [translation] = result.translations
                width = {"utf-16-le": 2, "utf-32-le": 4, "utf-8": 1}[unit]
                last = translation.segments[-1]
                for whole, span in ((text, last.source_span), (translation.text, last.target_span)):
                    piece = whole.encode(unit)[span.start * width : span.end * width].decode(unit)
                    assert piece.upper().endswith("PRICES FALL.")
                record = output_record(result, job.spec.options)
                [written] = record.results
                assert isinstance(written, TranslatedText)
                assert written.sentences[-1].source == "Prices fall."
                assert written.sentences[-1].target.endswith("PRICES FALL.")


async def test_a_bug_costs_its_item_alone(tmp_path: Path) -> None:
    async with pipeline(fail_on="poison") as work, serve(f"sqlite:///{tmp_path}/jobs.db", work) as running:
        items = texts(40, prefix="This is text number")
        items[20].text = "This sentence holds poison for the model."
        job = await create(running.stub, items)
        ended = await wait_for_end(running.stub, job.name)
        assert (ended.progress.done_items, ended.progress.failed_items) == (39, 1)
        error = (await read(running.stub, job.name))[20].error
        assert error.code == grpc.StatusCode.INTERNAL.value[0]
        assert "poison" not in error.message


async def test_articles_become_the_editions_that_calls_would_give(tmp_path: Path) -> None:
    body = "The market opens at nine. It is full of people this morning. Prices fall again in the town."
    summarize = job_pb2.JobSpec(
        kind=job_pb2.JOB_KIND_SUMMARIZE,
        options=job_pb2.JobOptions(target_language_codes=["fr", "bm"], key_points=1),
    )
    items = [
        job_pb2.JobItem(id="a", article=summarization_pb2.Article(headline="Market day", body=body)),
        job_pb2.JobItem(id="b", article=summarization_pb2.Article(body="qwzx vbnm")),
    ]
    async with pipeline() as work, serve(f"sqlite:///{tmp_path}/jobs.db", work) as running:
        job = (await create_job(running.stub, requests(summarize, items))).job
        ended = await wait_for_end(running.stub, job.name)
        assert (ended.progress.done_items, ended.progress.failed_items, ended.progress.done_segments) == (1, 1, 2)
        made, failed = await read(running.stub, job.name)
    assert [edition.language_code for edition in made.editions] == ["fr", "bm"]
    assert [len(edition.key_points) for edition in made.editions] == [1, 1]
    assert all(edition.headline and edition.summary for edition in made.editions)
    assert failed.HasField("error")


async def test_what_another_model_would_do_is_not_taken_from_an_earlier_result() -> None:
    entries = {name: replace(echo_entry(), id=name) for name in ("first", "second")}
    engines = make_engines(Settings())
    for name, entry in entries.items():
        engines.load(name, entry)
    await engines.wait()
    try:
        revisions = {
            revisions_of(ModelPool(entries, engines)),
            revisions_of(ModelPool(entries, engines, routes={"en>fr": "second"})),
            revisions_of(ModelPool(entries, engines, summaries={"en": "second"})),
        }
        assert len(revisions) == 3
        revised = entries | {"first": replace(entries["first"], revision="2")}
        assert revisions_of(ModelPool(revised, engines)) not in revisions
    finally:
        await engines.close()
