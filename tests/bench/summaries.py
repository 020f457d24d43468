"""Summaries beside their baselines: ROUGE, and how many tell what their article does not.

    python -m tests.bench.summaries [--shared ../shared] [--set test] [--languages fr en] [--length short] [--kept FILE]

French: the first 150 documents of OrangeSum dev (`--set tuning`: the next 100, on which everything was chosen).
English: all 111 of GUM, for both sets. What is measured is the product's own `SummaryWriter`, at three places: what the
model writes first, what is left of that after the faithfulness step, and what goes out. Baselines: the product's
extract, and with as many words as the shipped summary of that document the first sentences and the best ones.
Differences are means over documents with their 95 % interval by paired bootstrap (Koehn 2004). Prints tables and writes
bench-results/summaries-SET-LENGTH.json. With `--kept` a run that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from kunnafoni.engine.engine_manager import EngineManager
from kunnafoni.engine.request_context import RequestContext
from kunnafoni.engine.scheduler_config import SchedulerConfig
from kunnafoni.summarization.article_analysis import (
    LONG,
    MEDIUM,
    SHORT,
    AnalysedArticle,
    Article,
    Length,
    analyse_article,
)
from kunnafoni.summarization.model_input import ModelInputMaker
from kunnafoni.summarization.ranking import extract
from kunnafoni.summarization.summaries import DECODINGS, Method, Summary, SummaryWriter, extractive
from kunnafoni.translation.model_pool import ModelPool
from kunnafoni.translation.routes import Hop
from kunnafoni.translation.translator import Translator
from kunnafoni_models.registry import catalog, load
from tests.bench.cached_backend import CachedBackend
from tests.bench.summary_scores import METRICS, SIGNATURE, Document, measure, rouge_gain, word_count

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from kunnafoni_models.backend import Backend
    from kunnafoni_models.catalog.entry import CatalogEntry

MODEL = "kunnafoni-270m"
LENGTHS = {"short": SHORT, "medium": MEDIUM, "long": LONG}
RESULTS = Path("bench-results")
FIRST_TUNING, LAST_TUNING = 150, 250


def read_documents(shared: Path, language: str, chosen: str) -> list[Document]:
    name = {"fr": "orangesum_fr_dev", "en": "gum_en"}[language]
    rows = [json.loads(line) for line in (shared / "eval" / f"{name}.jsonl").read_text("utf-8").splitlines()]
    if language == "fr":
        rows = rows[:FIRST_TUNING] if chosen == "test" else rows[FIRST_TUNING:LAST_TUNING]
    return [Document(row["document"], row["summary"]) for row in rows]


class Product:
    """The product's summaries of one model."""

    def __init__(self, model_pool: ModelPool, model: str) -> None:
        self._model_pool = model_pool
        self._entry = model_pool.entries[model]
        self._input_maker = ModelInputMaker(model_pool, Translator(model_pool))
        self._writer = SummaryWriter(
            model_pool, self._input_maker, max_sequence_tokens=SchedulerConfig().max_batch_tokens
        )

    @classmethod
    @asynccontextmanager
    async def loaded(cls, model: str, *, threads: int, kept: Path | None) -> AsyncGenerator[Product]:
        """The product with that model loaded; `kept` is the file of its answers."""

        def backend(entry: CatalogEntry) -> Backend:
            loaded = load(entry, threads=threads)
            return CachedBackend(loaded, entry.revision, kept) if kept else loaded

        entry = catalog()[model]
        engines = EngineManager[Any](
            backend,
            warm_up=lambda _, loaded: loaded.summary_prompt("1", language="fr"),
            config=SchedulerConfig(),
            cache_bytes=1 << 25,
        )
        try:
            model_pool = ModelPool({model: entry}, engines)
            engines.load(model, entry)
            await engines.wait()
            yield cls(model_pool, model)
        finally:
            await engines.close()

    async def write(self, article: AnalysedArticle, length: Length) -> tuple[str, Summary]:
        """What the model writes first, and the summary as it goes out; by the model even where extraction is better."""
        hop = Hop(self._entry.id, self._entry.revision, article.language, article.language)
        engine = self._model_pool.engine(hop.model_id)
        with RequestContext() as context:
            model_input = await self._input_maker.make(article, hop, context=context)
            prompt = engine.backend.summary_prompt(" ".join(model_input.sentences), language=article.language)
            answer = await engine.submit(prompt, DECODINGS[0], context=context)
            return answer.output.text, await self._writer.write(article, length, hop=hop, context=context)


@dataclass(frozen=True, slots=True)
class Made:
    """The summaries of all documents by each method, in order, and how those that the product wrote came about."""

    texts: dict[str, list[str]]
    summaries: list[Summary]

    def told(self) -> str:
        counts = Counter(summary.method for summary in self.summaries)
        shares = ", ".join(f"{100 * counts[method] / counts.total():.1f} % {method}" for method in Method)
        return f"{shares}; {100 * fmean(summary.coverage for summary in self.summaries):.0f} % of the sentences read"


async def make(product: Product, documents: Sequence[Document], language: str, length: Length) -> Made:
    made = Made({name: [] for name in METHODS}, [])
    for document in documents:
        article = await asyncio.to_thread(analyse_article, Article("", document.article, language), points=0)
        written, summary = await product.write(article, length)
        extracted = extractive(article, length, why="").text
        words = word_count({"filled": summary.text, "extracted": extracted}[SHIPPED[language]])
        best = " ".join(article.texts[place] for place in extract(article.texts, words) or [0])
        texts = (
            written,
            summary.opening,
            summary.text,
            extracted,
            lead_of(words, article.texts),
            best,
            document.summary,
        )
        for name, text in zip(METHODS, texts, strict=True):
            made.texts[name].append(text)
        made.summaries.append(summary)
    return made


METHODS = ("written", "repaired", "filled", "extracted", "first sentences", "best sentences", "human")
SHIPPED = {"fr": "filled", "en": "extracted"}
"""What measures best; the baselines get its length."""


def lead_of(words: int, sentences: Sequence[str]) -> str:
    """The first sentences, so many that they come closest to `words` words; one at least."""
    leads = [" ".join(sentences[:count]) for count in range(1, len(sentences) + 1)]
    return min(leads, key=lambda lead: abs(word_count(lead) - words))


async def make_all(options: argparse.Namespace) -> dict[str, tuple[list[Document], Made]]:
    """The documents of each language and what is made of them."""
    made: dict[str, tuple[list[Document], Made]] = {}
    async with Product.loaded(MODEL, threads=options.threads, kept=options.kept) as product:
        for language in options.languages:
            documents = read_documents(options.shared, language, options.set)
            made[language] = documents, await make(product, documents, language, LENGTHS[options.length])
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--set", default="test", choices=["test", "tuning"])
    parser.add_argument("--languages", nargs="+", default=["fr", "en"], choices=["fr", "en"])
    parser.add_argument("--length", default="short", choices=LENGTHS)
    parser.add_argument("--threads", type=int, default=0, help="of the model; 0 means all cores")
    parser.add_argument("--kept", type=Path, help="a file that keeps the model's answers")
    options = parser.parse_args()
    table = Table("language", "method", "words", *METRICS, "number or name %", "any finding %")
    report: dict[str, object] = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "signature": SIGNATURE}
    report |= {"model": catalog()[MODEL].revision, "set": options.set, "length": options.length}
    for language, (documents, made) in asyncio.run(make_all(options)).items():
        print(f"{language}, {len(documents)} documents: {made.told()}")
        rows = [measure(language, name, documents, texts) for name, texts in made.texts.items()]
        for row in rows:
            table.add_row(*(f"{value:.1f}" if isinstance(value, float) else value for value in asdict(row).values()))
        report[language] = {"documents": len(documents), "methods": [asdict(row) for row in rows]}
        shipped = SHIPPED[language]
        for other in ("first sentences", "best sentences"):
            gain, (low, high) = rouge_gain(documents, made.texts[shipped], made.texts[other])
            print(f"  {shipped} - {other}: ROUGE-L {gain:+.2f} ({low:+.2f} to {high:+.2f})")
    Console(width=140).print(table)
    print(SIGNATURE)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"summaries-{options.set}-{options.length}.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
