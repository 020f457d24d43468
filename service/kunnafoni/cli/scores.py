"""Scores of translations and summaries against references, each with what reproduces it, and whether two differ.

It knows texts and metrics, no models. Its libraries are in the extra `evaluate` and are imported when first used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SAMPLES = 1000
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Score:
    """One metric over one test set, 0 to 100, higher is better.

    Attributes:
        metric: Its name.
        value: Of the whole set.
        signature: What reproduces it.
        p_value: Chance that a difference from the first system as large as this comes from the choice of texts (paired
            bootstrap, Koehn 2004); None for the first system.
    """

    metric: str
    value: float
    signature: str
    p_value: float | None = None


def translation_scores(outputs: Mapping[str, Sequence[str]], references: Sequence[str]) -> dict[str, list[Score]]:
    """BLEU, chrF++ and BLEU over pieces of each system, compared with the first by paired bootstrap.

    The pieces are those of the embedded model's tokenizer, which cuts words of all three languages alike, as spBLEU's
    does (Goyal et al. 2022); that one cannot be had without the network.

    Args:
        outputs: Translations by system, one a reference, in order.
        references: Human translations.
    """
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415

    cut, name = _pieces()
    words: dict[str, Any] = {
        "chrF++": CHRF(word_order=2, references=[references]),
        "BLEU": BLEU(references=[references]),
    }
    pieces: dict[str, Any] = {
        "spBLEU": BLEU(tokenize="none", force=True, references=[[cut(text) for text in references]])
    }
    by_words = _compared(outputs, words)
    by_pieces = _compared({system: [cut(text) for text in texts] for system, texts in outputs.items()}, pieces)
    return {
        system: [
            *by_words[system],
            *(Score(s.metric, s.value, s.signature.replace("tok:none", f"tok:{name}"), s.p_value) for s in found),
        ]
        for system, found in by_pieces.items()
    }


def summary_scores(outputs: Mapping[str, Sequence[str]], references: Sequence[str]) -> dict[str, list[Score]]:
    """ROUGE-1, ROUGE-2 and ROUGE-L of each system: mean F1 over the texts (Lin 2004), words in any alphabet.

    Args:
        outputs: Summaries by system, one a reference, in order; compared with the first by paired bootstrap.
        references: Human summaries.
    """
    from rouge_score import rouge_scorer  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

    names = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}
    scorer: Any = rouge_scorer.RougeScorer(list(names), tokenizer=_Words())
    found: dict[str, list[Score]] = {system: [] for system in outputs}
    rows = {
        system: [scorer.score(reference, text) for reference, text in zip(references, texts, strict=True)]
        for system, texts in outputs.items()
    }
    for name, label in names.items():
        values = {system: [100 * row[name].fmeasure for row in each] for system, each in rows.items()}
        first = next(iter(values.values()))
        for system, mine in values.items():
            p_value = None if mine is first else _bootstrap(mine, first)
            found[system].append(Score(label, sum(mine) / len(mine), r"rouge-score, words \w+ lower case", p_value))
    return found


def _bootstrap(mine: Sequence[float], first: Sequence[float]) -> float:
    """Two-sided p-value of the difference of two means over the same texts; draws the same samples every time."""
    import numpy as np  # noqa: PLC0415 - the other commands do without

    differences = np.subtract(mine, first)
    observed = differences.mean()
    drawn = np.random.default_rng(12345).integers(len(differences), size=(SAMPLES, len(differences)))
    centred = np.abs(differences[drawn].mean(axis=1) - observed)
    # Equal within rounding counts as equal, so that of two systems that say the same none is better.
    return float((1 + np.count_nonzero(centred >= abs(observed) - 1e-9)) / (SAMPLES + 1))


class _Words:
    """Words for ROUGE; the library's own drops every letter that is not ASCII."""

    def tokenize(self, text: str) -> list[str]:
        return _WORD.findall(text.lower())


def _compared(outputs: Mapping[str, Sequence[str]], metrics: dict[str, Any]) -> dict[str, list[Score]]:
    from sacrebleu.significance import PairedTest  # noqa: PLC0415

    if len(outputs) == 1:
        ((system, texts),) = outputs.items()
        return {
            system: [
                Score(name, metric.corpus_score(texts, None).score, str(metric.get_signature()))
                for name, metric in metrics.items()
            ]
        }
    named: Any = [(system, list(texts)) for system, texts in outputs.items()]
    test: Any = PairedTest(named, metrics, references=None, test_type="bs", n_samples=SAMPLES)
    signatures, results = test()
    keys = dict(zip(metrics, (key for key in results if key != "System"), strict=True))
    return {
        system: [
            Score(name, results[key][row].score, str(signatures[key]), _p_value(results[key], row))
            for name, key in keys.items()
        ]
        for row, system in enumerate(outputs)
    }


def _p_value(results: Sequence[Any], row: int) -> float | None:
    # Of two systems that score the same the library says that they differ for certain.
    return 1.0 if row and results[row].score == results[0].score else results[row].p_value


def _pieces() -> tuple[Callable[[str], str], str]:
    from tokenizers import Tokenizer  # noqa: PLC0415

    from kunnafoni_models import registry  # noqa: PLC0415
    from kunnafoni_models.catalog.model_files import read_file  # noqa: PLC0415

    entry = registry.catalog()["kunnafoni-270m"]
    tokenizer = Tokenizer.from_buffer(bytes(read_file(entry, "tokenizer.json")))

    def cut(text: str) -> str:
        return " ".join(tokenizer.encode(text, add_special_tokens=False).tokens)

    return cut, f"{entry.id}@{entry.revision}"
