"""What the catalog knows of a model: a frozen `CatalogEntry` and its parts.

The fields are the same for every backend; what only one backend understands is in `options`, which that backend checks.
The values know nothing of files and weights: `entry_reader` reads them, and the backends use them.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic reads the annotations at run time
import hashlib
from collections.abc import Mapping  # noqa: TC003
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Formatter
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from kunnafoni_models.backend import CatalogError

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(gt=0)]
Option = str | int | float | bool

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model, in the entry's folder.

    Attributes:
        name: File name, without folders.
        bytes: Size.
        sha256: Hexadecimal digest of the content.
        part_of: Name of the file of which this one is a part; parts are joined in the order of the entry. None if the
            file is whole.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    name: FileName
    bytes: Count
    sha256: Sha256
    part_of: FileName | None = None


@dataclass(frozen=True, slots=True)
class Direction:
    """One translation direction that a model serves, the length of its outputs, and how it is decoded.

    Attributes:
        source, target: BCP-47 codes.
        output_ratio: Output tokens allowed per token of the source text.
        output_extra: Output tokens allowed in addition, so that very short texts have room.
        repetition_penalty: `Decoding.repetition_penalty` of greedy decoding; above 1 if the model tends to loop.
        pivot: BCP-47 code of a language through which this direction has a better quality than directly; None if there
            is none.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    source: Language
    target: Language
    output_ratio: Annotated[float, Field(gt=0)] = 2.0
    output_extra: Annotated[int, Field(ge=0)] = 16
    repetition_penalty: Annotated[float, Field(ge=1)] = 1.0
    pivot: Language | None = None

    def output_cap(self, source_tokens: int) -> int:
        """Most output tokens for a text of `source_tokens` tokens; a longer output is a fault of the model."""
        return max(1, round(self.output_ratio * source_tokens)) + self.output_extra


@dataclass(frozen=True, slots=True)
class Quality:
    """One measured score of one direction.

    Attributes:
        source, target: BCP-47 codes; equal for summaries in that language.
        metric: Name, for example `chrF++` or `BLEU`.
        score: In the metric's own unit; higher is better.
        signature: What reproduces the score (sacrebleu's, for translation); empty if the publisher gives none.
        test_set: Name of the texts.
        decoding: Weights and search, for example `int8, beam 1`.
        date: Day of the measurement or of the publication.
        measured_by: `kunnafoni` for measurements of this project and of `kunnafoni evaluate`, else the publication,
            with the day on which it was read if it has no date of its own.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    source: Language
    target: Language
    metric: str
    score: float
    test_set: str
    decoding: str
    date: dt.date
    signature: str = ""
    measured_by: str = "kunnafoni"


def merged_scores(old: tuple[Quality, ...], new: tuple[Quality, ...]) -> tuple[Quality, ...]:
    """The scores of `new`, and those of `old` for other directions or metrics."""
    measured = {(score.source, score.target, score.metric) for score in new}
    return (*new, *(score for score in old if (score.source, score.target, score.metric) not in measured))


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured for one model on this machine, in addition to its entry.

    Attributes:
        id: Of the entry.
        fingerprint: `CatalogEntry.fingerprint` of the measured model; the figures do not hold for another build.
        memory_mb: As in the entry; 0 if it was not measured.
        quality: Scores.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    id: Id
    fingerprint: str
    memory_mb: Annotated[int, Field(ge=0)] = 0
    quality: tuple[Quality, ...] = ()


@dataclass(frozen=True, slots=True)
class Licence:
    """The terms of use of the weights.

    Attributes:
        name: SPDX identifier, or the licence's own name if it has none.
        non_commercial: True if the terms forbid commercial use.
        summary: One or two sentences for people.
        file: The licence text in the entry's folder; None if the model comes without one.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    name: str
    non_commercial: bool
    summary: str
    file: FileName | None = None


@dataclass(frozen=True, slots=True)
class Prompts:
    """The templates of prompts. Models with language tokens instead of a template keep the defaults.

    Attributes:
        begin_tokens: Tokens before the encoded template.
        end_token: The token that ends an output; None for the model's own.
        translate: Template with `{text}`, `{source_name}`, `{target_name}`.
        summarize: Template with `{article}`, `{target_name}`.
        filler: Padding token: the model was trained to ignore it between the begin tokens and the template. Prompts to
            translate are filled up with it to one of few lengths, so that more of them share batches. None if the model
            has no such token.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    begin_tokens: tuple[str, ...] = ()
    end_token: str | None = None
    translate: str = "{text}"
    summarize: str = "{article}"
    filler: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in the model's own tokens.

    Attributes:
        translate_input_tokens: Longest text of one translation, the prompt's template not counted. A longer text is an
            error and never truncated.
        summarize_input_tokens: The same for a summary.
        summarize_output_tokens: Output cap of a summary.
        total_tokens: Prompt and output together; None if only the other limits count.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    translate_input_tokens: Count
    summarize_input_tokens: Count = 1
    summarize_output_tokens: Count = 1
    total_tokens: Count | None = None


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """Everything known of a model without reading its weights. Entries can also be built in code.

    Attributes:
        id: Name in requests, routes and configuration.
        revision: The build; every result names it. For a model that is not on this machine: what `models import`
            fetches, a branch, tag or commit of the hub.
        backend: The module that runs it: `ctranslate2` is `kunnafoni_models.backends.ctranslate2_backend`.
        licence, limits, prompts: See their classes.
        languages: BCP-47 code -> the model's own code or name of the language.
        directions: Translation directions served.
        summary_languages: Languages in which it summarises texts of the same language.
        extract_languages: Those of `summary_languages` in which extracted sentences of an article had better scores
            than the model's summaries.
        files: All files that are read from `folder`, with sizes and digests; empty if the backend needs none.
        folder: Where the files are; relative to the entry file there.
        base: What the model was made from, for people; empty if nothing.
        parent: Of an adapted model: id and revision of its starting model, for example `kunnafoni-270m@2026-11-23`.
        data_sha256: Of an adapted model: digest of its training rows, as `training.memory` computes it.
        parameters: Number of weights; 0 if there are none.
        memory_mb: Peak resident memory of a process that runs it on 32 sentences at once, in MiB; 0 if unknown.
        quality: Measured scores.
        options: What only the backend understands, for example `compute_type`.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    id: Id
    revision: str
    backend: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    licence: Licence
    limits: Limits
    languages: Mapping[Language, str]
    directions: tuple[Direction, ...] = ()
    summary_languages: tuple[Language, ...] = ()
    extract_languages: tuple[Language, ...] = ()
    files: tuple[ModelFile, ...] = ()
    folder: Path = Path()
    prompts: Prompts = field(default_factory=Prompts)
    base: str = ""
    parent: str = ""
    data_sha256: str = ""
    parameters: Annotated[int, Field(ge=0)] = 0
    memory_mb: Annotated[int, Field(ge=0)] = 0
    quality: tuple[Quality, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict[str, Option])

    def direction(self, source: str, target: str) -> Direction | None:
        """The direction from `source` to `target`; None if the model does not serve it."""
        return next((d for d in self.directions if (d.source, d.target) == (source, target)), None)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify everything that outputs depend on; folder and scores do not count.

        Two builds may have the same revision, or one build other prompts and other decoding.
        """
        content = repr(replace(self, folder=Path(), quality=(), memory_mb=0))
        return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()

    def with_figures(self, figures: Figures) -> CatalogEntry:
        """The entry with `figures` instead of its own scores for the same directions and metrics."""
        return replace(
            self, quality=merged_scores(self.quality, figures.quality), memory_mb=figures.memory_mb or self.memory_mb
        )

    def __post_init__(self) -> None:
        """Check what involves several fields.

        Raises:
            CatalogError: The parts contradict each other.
        """
        pairs = [(direction.source, direction.target) for direction in self.directions]
        summaries = [(language, language) for language in self.summary_languages]
        if not pairs and not summaries:
            raise CatalogError("directions and summary_languages are both empty: the model serves nothing")
        for source, target in (*pairs, *summaries):
            if missing := {source, target} - self.languages.keys():
                raise CatalogError(f"{source}>{target} is served, but languages has no {', '.join(sorted(missing))}")
        for direction in self.directions:
            source, target, pivot = direction.source, direction.target, direction.pivot
            if pivot and pivot not in self.languages.keys() - {source, target}:
                raise CatalogError(f"{source}>{target} has {pivot} as pivot, which is no third language")
        for score in self.quality:
            if (score.source, score.target) not in {*pairs, *summaries}:
                raise CatalogError(f"quality has a score of {score.source}>{score.target}, which is not served")
        for name, items in (("directions", pairs), ("files", [file.name for file in self.files])):
            if len(set(items)) < len(items):
                raise CatalogError(f"{name} lists the same one twice")
        _check_template(self.prompts.translate, "text", {"text", "source_name", "target_name"})
        _check_template(self.prompts.summarize, "article", {"article", "target_name"})


def _check_template(template: str, required: str, allowed: set[str]) -> None:
    try:
        names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise CatalogError(f"the prompt {template!r} is malformed: {error}") from error
    if required not in names or names - allowed:
        raise CatalogError(f"the prompt {template!r} must hold {{{required}}} and may hold {sorted(allowed)} only")
