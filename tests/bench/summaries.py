"""Summaries beside their baselines: ROUGE, and how many tell what their article does not.

    python tests/bench/summaries.py [--shared ../shared] [--set test] [--languages fr en] [--words 30] [--cache FILE]

French: the first 150 documents of OrangeSum dev (`--set tuning`: the next 100, on which everything was chosen).
English: all 111 of GUM, for both sets. Every method is a `Summarise`; `METHODS` lists them. The two baselines get, a
document, as many words as the summary that ships has: whole sentences, the sum as close as it comes. Differences
are means over documents with their 95 % interval by paired bootstrap (Koehn 2004). Prints tables and writes
bench-results/summaries.json.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
import unicodedata
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.table import Table
from rouge_score.rouge_scorer import RougeScorer  # pyright: ignore[reportMissingTypeStubs]
from rouge_score.tokenizers import Tokenizer  # pyright: ignore[reportMissingTypeStubs]

from kunnafoni.text.failures import failures, finished
from kunnafoni.text.faithfulness import FindingKind, unsupported
from kunnafoni.text.ranking import extract, key_points
from kunnafoni.text.reading import LEAD_TOKENS, parts
from kunnafoni.text.segments import SegmentKind, split
from kunnafoni_models.backend import Decoding
from kunnafoni_models.registry import catalog, load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kunnafoni_models.backend import Backend

    Summarise = Callable[[str, str], str]
    """From an article and its language to its summary."""

RESULTS = Path("bench-results")
METRICS = ("rouge1", "rouge2", "rougeL")
FIRST_TUNING, LAST_TUNING = 150, 250


class Words(Tokenizer):
    """Runs of letters and digits of the NFC text in lower case; the default one drops every letter with an accent."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).lower())


SIGNATURE = (
    f"rouge-score {version('rouge-score')}, F1, mean over documents, no stemming, tokens [^\\W_]+ of NFC lower case"
)
SCORER = RougeScorer(METRICS, tokenizer=Words())


@dataclass(frozen=True, slots=True)
class Document:
    """An article and what a person made of it."""

    article: str
    summary: str


@dataclass(frozen=True, slots=True)
class Row:
    """What one method reached in one language; shares in percent of the documents."""

    language: str
    method: str
    words: float
    rouge1: float
    rouge2: float
    rougeL: float  # noqa: N815  (its name everywhere)
    number_or_name_percent: float
    any_finding_percent: float


def read_documents(shared: Path, language: str, chosen: str) -> list[Document]:
    name = {"fr": "orangesum_fr_dev", "en": "gum_en"}[language]
    rows = [json.loads(line) for line in (shared / "eval" / f"{name}.jsonl").read_text("utf-8").splitlines()]
    if language == "fr":
        rows = rows[:FIRST_TUNING] if chosen == "test" else rows[FIRST_TUNING:LAST_TUNING]
    return [Document(row["document"], row["summary"]) for row in rows]


def sentences_of(article: str, language: str) -> list[str]:
    return [" ".join(piece.text.split()) for piece in split(article, language) if piece.kind is SegmentKind.TEXT]


class Model:
    """The embedded model, answers kept in a file so that a second run is quick."""

    def __init__(self, cache: Path | None) -> None:
        self.entry = catalog()["kunnafoni-270m"]
        self._backend: Backend = load(self.entry)
        self._cache = cache
        self._answers: dict[str, str] = json.loads(cache.read_text()) if cache and cache.exists() else {}

    def lead(self, sentences: Sequence[str], max_tokens: int) -> str:
        tokens = [self._backend.count_tokens(f" {sentence}") for sentence in sentences]
        return " ".join(sentences[place] for place in parts(tokens, max_tokens)[0])

    def answer(self, text: str, language: str, decoding: Decoding) -> str:
        prompt = self._backend.summary_prompt(text, language=language)
        key = json.dumps([self.entry.revision, prompt.tokens, asdict(decoding)])
        if key not in self._answers:
            self._answers[key] = self._backend.generate([prompt], decoding)[0].text
            if self._cache:
                self._cache.write_text(json.dumps(self._answers))
        return finished(self._answers[key], language)


def generated(model: Model, decoding: Decoding, max_tokens: int) -> Summarise:
    """The model's answer to the lead, as it is."""

    def summarise(article: str, language: str) -> str:
        return model.answer(model.lead(sentences_of(article, language), max_tokens), language, decoding)

    return summarise


def extracted(words: int) -> Summarise:
    """Sentences of the article by rank."""

    def summarise(article: str, language: str) -> str:
        sentences = sentences_of(article, language)
        chosen = extract(sentences, words) or key_points(sentences, 1) or [0]
        return " ".join(sentences[place] for place in chosen)

    return summarise


def repaired(attempts: Sequence[Summarise], otherwise: Summarise) -> Summarise:
    """The first attempt that does not fail, else what never fails."""

    def summarise(article: str, language: str) -> str:
        for attempt in attempts:
            if not failures(summary := attempt(article, language), article, language=language):
                return summary
        return otherwise(article, language)

    return summarise


def filled(summarise_first: Summarise, words: int) -> Summarise:
    """A summary and, if it is well under the length asked for, the sentences of the article that add most to it."""

    def summarise(article: str, language: str) -> str:
        first = summarise_first(article, language)
        sentences = sentences_of(article, language)
        room = max(0, words - word_count(first))
        return " ".join([first, *(sentences[place] for place in extract(sentences, room, beside=first))])

    return summarise


def word_count(text: str) -> int:
    return len(text.split())


def lead_of(words: int, article: str, language: str) -> str:
    """The first sentences, so many that they come closest to `words` words; one at least."""
    sentences = sentences_of(article, language)
    leads = [" ".join(sentences[:count]) for count in range(1, len(sentences) + 1)]
    return min(leads, key=lambda lead: abs(word_count(lead) - words))


def ranking_of(words: int, article: str, language: str) -> str:
    """The extract of about `words` words."""
    return extracted(words)(article, language)


def rouge(document: Document, summary: str) -> dict[str, float]:
    scores = cast("dict[str, Any]", SCORER.score(document.summary, summary))  # pyright: ignore[reportUnknownMemberType]
    return {metric: 100 * scores[metric].fmeasure for metric in METRICS}


def measure(language: str, method: str, documents: Sequence[Document], summaries: Sequence[str]) -> Row:
    findings = [
        {
            finding.kind
            for finding in unsupported(summary, document.article, summary_language=language, article_language=language)
        }
        for document, summary in zip(documents, summaries, strict=True)
    ]
    numbers_and_names = {FindingKind.UNSUPPORTED_NUMBER, FindingKind.UNSUPPORTED_NAME}
    scores = [rouge(document, summary) for document, summary in zip(documents, summaries, strict=True)]
    return Row(
        language,
        method,
        words=fmean(map(word_count, summaries)),
        rouge1=fmean(score["rouge1"] for score in scores),
        rouge2=fmean(score["rouge2"] for score in scores),
        rougeL=fmean(score["rougeL"] for score in scores),
        number_or_name_percent=100 * fmean(not kinds.isdisjoint(numbers_and_names) for kinds in findings),
        any_finding_percent=100 * fmean(map(bool, findings)),
    )


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean by 2,000 bootstrap samples."""
    chance = random.Random(1)
    means = sorted(fmean(chance.choices(differences, k=len(differences))) for _ in range(2000))
    return means[50], means[-51]


def methods(model: Model, words: int) -> dict[str, Summarise]:
    """All that is compared, by name."""
    greedy, beams = Decoding(), Decoding(beam_size=4)
    attempts = [generated(model, beams, LEAD_TOKENS), generated(model, greedy, LEAD_TOKENS)]
    mended = repaired(attempts, extracted(words))
    return {
        "generated, 440 tokens, greedy": generated(model, greedy, 440),
        "generated, lead, greedy": attempts[1],
        "generated, lead, 4 beams": attempts[0],
        "generated and repaired": mended,
        "repaired and filled": filled(mended, words),
        "extracted": extracted(words),
    }


SHIPPED = {"fr": "repaired and filled", "en": "extracted"}
"""What measures best; the baselines get its length."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--set", default="test", choices=["test", "tuning"])
    parser.add_argument("--languages", nargs="+", default=["fr", "en"], choices=["fr", "en"])
    parser.add_argument("--words", type=int, default=30, help="length asked for: 30 is SHORT, 70 MEDIUM, 150 LONG")
    parser.add_argument("--cache", type=Path, help="a JSON file that keeps the model's answers")
    options = parser.parse_args()
    model = Model(options.cache)
    table = Table("language", "method", "words", *METRICS, "number or name %", "any finding %")
    report: dict[str, object] = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "signature": SIGNATURE}
    report |= {"model": model.entry.revision, "set": options.set, "words": options.words}
    for language in options.languages:
        documents = read_documents(options.shared, language, options.set)
        articles = [document.article for document in documents]
        summaries = {
            name: [summarise(article, language) for article in articles]
            for name, summarise in methods(model, options.words).items()
        }
        pairs = zip(summaries["generated and repaired"], summaries["extracted"], strict=True)
        print(f"{language}: {100 * fmean(ours == theirs for ours, theirs in pairs):.1f} % of the repaired are extracts")
        lengths = [word_count(summary) for summary in summaries[SHIPPED[language]]]
        for name, baseline in {"lead of equal length": lead_of, "ranking of equal length": ranking_of}.items():
            pairs = zip(lengths, articles, strict=True)
            summaries[name] = [baseline(words, article, language) for words, article in pairs]
        summaries["human"] = [document.summary for document in documents]
        rows = [measure(language, name, documents, texts) for name, texts in summaries.items()]
        for row in rows:
            table.add_row(*(f"{value:.1f}" if isinstance(value, float) else value for value in asdict(row).values()))
        report[language] = {"documents": len(documents), "methods": [asdict(row) for row in rows]}
        for other in ("lead of equal length", "ranking of equal length"):
            pairs = zip(documents, summaries[SHIPPED[language]], summaries[other], strict=True)
            gains = [
                rouge(document, ours)["rougeL"] - rouge(document, theirs)["rougeL"] for document, ours, theirs in pairs
            ]
            low, high = interval(gains)
            print(f"{language}: {SHIPPED[language]} - {other}: ROUGE-L {fmean(gains):+.2f} ({low:+.2f} to {high:+.2f})")
    Console(width=140).print(table)
    print(SIGNATURE)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"summaries-{options.set}-{options.words}.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
