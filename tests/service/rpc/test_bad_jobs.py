"""What a caller of the job service can get wrong: each mistake is named, and nothing is left of it."""

from __future__ import annotations

import grpc
import pytest

from kunnafoni.client.messages import error_of
from kunnafoni.rpc.page_tokens import page_token
from kunnafoni.v1 import job_pb2
from tests.service.jobs.calls import create, create_job, requests, spec, texts
from tests.service.jobs.job_server import LIMITS, CapitalsWork, serve


def item(**values: object) -> job_pb2.JobItem:
    return job_pb2.JobItem(**values)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("job_spec", "items", "field"),
    [
        (job_pb2.JobSpec(), texts(1), "spec.kind"),
        (job_pb2.JobSpec(kind=job_pb2.JOB_KIND_TRANSLATE), texts(1), "spec.options.target_language_codes"),
        (spec("fr", "xx"), texts(1), "spec.options.target_language_codes[1]"),
        (spec("fr", "fr-ML"), texts(1), "spec.options.target_language_codes"),
        (spec("fr", labels={"": "empty"}), texts(1), "spec.labels"),
        (spec("fr", labels={"desk": "a\0b"}), texts(1), "spec.labels"),
        (spec("fr"), [], "items"),
        (spec("fr"), [*texts(3), item(text="")], "items[3].text"),
        (spec("fr"), [*texts(3), item(text="a" * (LIMITS.max_content_code_points + 1))], "items[3].text"),
        (spec("fr"), [item(article={"body": "no text"})], "items[0].text"),
        (spec("fr"), [item(text="a", options={"source_language_code": "xx"})], "items[0].options.source_language_code"),
        (spec("fr"), [item(text="a", options={"decoding": {"beam_size": 99}})], "items[0].options.decoding.beam_size"),
        (spec("fr"), [item(text="a", options={"encoding_type": 99})], "items[0].options.encoding_type"),
        (spec("fr"), [item(text="a", id="i" * 256)], "items[0].id"),
        (spec("fr"), [item(text="a", id="i\0")], "items[0].id"),
        (spec("fr"), [*texts(250), *texts(1)], "items[250].id"),
        (spec("fr"), [item(text="a", id="1"), item(text="b")], "items[1].id"),
    ],
)
async def test_what_is_wrong_is_named_and_leaves_nothing(
    tmp_path: object, job_spec: job_pb2.JobSpec, items: list[job_pb2.JobItem], field: str
) -> None:
    async with serve(f"sqlite:///{tmp_path}/jobs.db", CapitalsWork()) as running:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await create_job(running.stub, requests(job_spec, items, per_message=len(items) or 1))
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert f"{field}:" in (error.value.details() or "")
        assert not (await running.stub.ListJobs(job_pb2.ListJobsRequest())).jobs
        assert (await create(running.stub, texts(2))).progress.total_items == 2


@pytest.mark.parametrize("name", ["", "x", "jobs/", "jobs/a/b", "job/x", "jobs/é", "jobs/x\n", "jobs/" + "ɛ" * 10_000])
@pytest.mark.parametrize("method", ["GetJob", "CancelJob", "RetryJob", "DeleteJob"])
async def test_what_is_no_name_of_a_job_is_said_to_be_none(tmp_path: object, name: str, method: str) -> None:
    async with serve(f"sqlite:///{tmp_path}/jobs.db", CapitalsWork()) as running:
        with pytest.raises(grpc.aio.AioRpcError, match="name: is not the name of a job") as error:
            await getattr(running.stub, method)(getattr(job_pb2, f"{method}Request")(name=name))
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (job_pb2.ListJobsRequest(page_token="nonsense"), "page_token"),
        (job_pb2.ListJobsRequest(page_token="9" * 5000), "page_token"),
        (job_pb2.ListJobsRequest(page_token="AAAAAAAAAAAx"), "page_token"),
        (job_pb2.ListJobsRequest(page_token=page_token("no number", state=0, labels=[])), "page_token"),
        (job_pb2.ListJobsRequest(page_token=page_token("9" * 30, state=0, labels=[])), "page_token"),
        (job_pb2.ListJobsRequest(labels={f"key{i}": "" for i in range(33)}), "labels"),
        (job_pb2.ListJobsRequest(labels={"key": "a\0b"}), "labels"),
        (job_pb2.ListJobsRequest(page_size=-1), "page_size"),
        (job_pb2.ListJobsRequest(state=99), "state"),  # pyright: ignore[reportArgumentType] - as a newer client may
        (job_pb2.ReadJobResultsRequest(name="jobs/x", offset=-1), "offset"),
        (job_pb2.ReadJobResultsRequest(name="jobs/x", order=99), "order"),  # pyright: ignore[reportArgumentType]
    ],
)
async def test_wrong_questions_are_named(
    tmp_path: object, request_: job_pb2.ListJobsRequest | job_pb2.ReadJobResultsRequest, field: str
) -> None:
    async with serve(f"sqlite:///{tmp_path}/jobs.db", CapitalsWork()) as running:
        is_list = isinstance(request_, job_pb2.ListJobsRequest)
        call = running.stub.ListJobs(request_) if is_list else anext(aiter(running.stub.ReadJobResults(request_)))
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert f"{field}:" in (error.value.details() or "")


async def test_what_is_wrong_is_said_in_french_to_whoever_asks_for_it(tmp_path: object) -> None:
    async with serve(f"sqlite:///{tmp_path}/jobs.db", CapitalsWork()) as running:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await running.stub.GetJob(job_pb2.GetJobRequest(name="x"), metadata=(("accept-language", "fr"),))
        assert "n'est pas le nom d'un travail" in str(error_of(error.value, running.address).message("fr"))
