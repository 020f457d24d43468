"""chrF++ and BLEU of a loaded model on rows that it has not learnt. It knows rows and backends; sacrebleu counts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kunnafoni_models.extras import needs_extra
from kunnafoni_models.training.batch_translation import translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kunnafoni_models.backend import Backend
    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.corpus import Row


@dataclass(frozen=True, slots=True)
class Measurement:
    """How well a model translates a set of rows.

    Attributes:
        scores: Task -> chrF++ (Popović 2017), 0 to 100, higher is better.
        bleu: Task -> BLEU, the same.
        signature, bleu_signature: sacrebleu's, to reproduce the scores.
    """

    scores: Mapping[str, float]
    bleu: Mapping[str, float]
    signature: str
    bleu_signature: str

    @property
    def mean(self) -> float:
        """Over the tasks."""
        return sum(self.scores.values()) / len(self.scores)


def measured(backend: Backend, entry: CatalogEntry, rows: Sequence[Row]) -> Measurement:
    """Translate the sources of `rows` and score the outputs against the targets, task by task.

    Args:
        backend: The model, loaded.
        entry: Its entry, which says how each direction is decoded.
        rows: In directions that the model serves.

    Raises:
        MissingExtraError: sacrebleu is not installed.
        InputTooLongError: A source has more tokens than the model translates at once.
    """
    chrf, bleu = metrics()
    by_task: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_task[row.task].append(row)
    scores: dict[str, float] = {}
    bleus: dict[str, float] = {}
    for task, some in by_task.items():
        source, _, target = task.partition(">")
        outputs = translated(backend, entry, [row.source for row in some], source=source, target=target)
        answers, references = [output.text for output in outputs], [[row.target for row in some]]
        scores[task] = float(chrf.corpus_score(answers, references).score)
        bleus[task] = float(bleu.corpus_score(answers, references).score)
    return Measurement(scores, bleus, str(chrf.get_signature()), str(bleu.get_signature()))


def metrics() -> tuple[Any, Any]:
    """The library's chrF++ and BLEU.

    Raises:
        MissingExtraError: It is not installed.
    """
    with needs_extra("train", "measuring a model"):
        from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415
        from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415
    return CHRF(word_order=2), BLEU()
