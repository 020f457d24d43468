"""Fair order: short requests beside long ones, new requests beside old ones, interactive requests beside jobs."""

from __future__ import annotations

import asyncio

from kunnafoni.engine.batcher import Batcher
from kunnafoni.engine.request_context import Priority, RequestContext
from kunnafoni.engine.scheduler_config import SchedulerConfig
from tests.service.engine.fakes import FakeModel, FakeSequence, run

CONFIG = SchedulerConfig(max_batch_tokens=200, max_batch_sequences=10, max_queue_tokens=100_000)


def begin(
    batcher: Batcher[FakeSequence, str], context: RequestContext, name: str, sequences: int, prompt_tokens: int = 10
) -> asyncio.Task[list[object]]:
    """Submit sequences `name0`, `name1`, ... of one request."""

    async def main() -> list[object]:
        work = [batcher.submit(FakeSequence(f"{name}{n}", prompt_tokens), context=context) for n in range(sequences)]
        return list(await asyncio.gather(*work))

    return asyncio.create_task(main())


def test_a_line_behind_an_article_is_answered_within_three_batches() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        article = begin(batcher, RequestContext(), "article", 500)
        await asyncio.sleep(5.1)
        for length in (3, 10, 200):  # of the same length as the article's sequences, or not
            start_s = loop.time()
            await begin(batcher, RequestContext(), f"line{length}-", 1, length)
            assert loop.time() - start_s <= 3
        await article
        # The article loses the time of the lines and no more: lines of another length had a batch to themselves.
        assert len(model.batches) <= 53
        await batcher.close()

    run(main())


def test_a_line_behind_many_articles_does_not_wait_for_all_of_them() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        batcher = Batcher(FakeModel(), CONFIG)
        articles = [begin(batcher, RequestContext(), f"article{n}-", 50, 10 + n) for n in range(30)]
        await asyncio.sleep(35.5)
        for number in range(10):
            start_s = loop.time()
            await begin(batcher, RequestContext(), f"line{number}-", 1, 100)
            assert loop.time() - start_s <= 6
            await asyncio.sleep(0.7)
        await asyncio.gather(*articles)
        await batcher.close()

    run(main())


def test_requests_of_any_size_get_equal_shares() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        work = [begin(batcher, RequestContext(), name, 100 * (index + 1)) for index, name in enumerate("abc")]
        await asyncio.sleep(20.5)
        shares = [sum(text.startswith(name) for text in model.seen) for name in "abc"]
        assert sum(shares) == 210
        assert max(shares) - min(shares) <= 15, shares
        await asyncio.gather(*work)
        await batcher.close()

    run(main())


def test_a_stream_of_new_requests_and_an_article_do_not_starve_each_other() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        article = begin(batcher, RequestContext(), "article", 60, prompt_tokens=100)

        async def one_line(number: int) -> float:
            start_s = loop.time()
            await begin(batcher, RequestContext(), f"line{number}-", 1)
            return loop.time() - start_s

        newcomers: list[asyncio.Task[float]] = []
        for number in range(800):  # 8 per second: there is always a new request, and no two lengths are equal
            newcomers.append(asyncio.create_task(one_line(number)))
            await asyncio.sleep(1 / 8)
        assert article.done()
        assert max(await asyncio.gather(*newcomers)) <= 4
        await batcher.close()

    run(main())


def test_sequences_of_a_request_are_run_in_order() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        await begin(batcher, RequestContext(), "", 100)
        assert model.seen == [str(n) for n in range(100)]
        await batcher.close()

    run(main())


def test_interactive_requests_go_before_jobs() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        job = begin(batcher, RequestContext(priority=Priority.JOB), "job", 100)
        for number in range(5):
            await asyncio.sleep(0.3)
            start_s = loop.time()
            await begin(batcher, RequestContext(), f"line{number}-", 1, prompt_tokens=50)
            assert loop.time() - start_s <= 2
        await job
        await batcher.close()

    run(main())


def test_jobs_are_not_starved_by_interactive_requests() -> None:
    async def main() -> None:
        model = FakeModel()
        batcher = Batcher(model, CONFIG)
        articles = [begin(batcher, RequestContext(), f"article{n}-", 500) for n in range(2)]
        job = begin(batcher, RequestContext(priority=Priority.JOB), "job", 50)
        await asyncio.sleep(39.5)
        batches = ["job" if batch[0].startswith("job") else "people" for batch in model.batches]
        assert [index for index, kind in enumerate(batches) if kind == "job"] == [7, 15, 23, 31, 39]
        await asyncio.gather(job, *articles)
        await batcher.close()

    run(main())
