"""What the catalog says of a model: a frozen `CatalogEntry` and its parts.

The fields are the same for every backend; what only one backend understands travels in `options`, checked by that
backend. The values know nothing of files and weights: `entry_file.py` reads them, the backends use them.
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
        part_of: Name of the file that this one is a part of; parts join in the order of the entry. None: it is whole.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    name: FileName
    bytes: Count
    sha256: Sha256
    part_of: FileName | None = None


@dataclass(frozen=True, slots=True)
class Direction:
    """One translation direction that a model serves, how long its answers may get, and how it is decoded.

    Attributes:
        source, target: BCP-47 codes.
        output_ratio: Output tokens allowed for each token of the source text.
        output_extra: Output tokens allowed beside those, so that very short texts have room.
        repetition_penalty: What `Decoding` calls so, for greedy decoding; above 1 where the model tends to loop.
        pivot: BCP-47 code of the language by way of which this direction comes out better than direct; None if none.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    source: Language
    target: Language
    output_ratio: Annotated[float, Field(gt=0)] = 2.0
    output_extra: Annotated[int, Field(ge=0)] = 16
    repetition_penalty: Annotated[float, Field(ge=1)] = 1.0
    pivot: Language | None = None

    def output_cap(self, source_tokens: int) -> int:
        """Most output tokens for a text of `source_tokens` tokens: an answer that needs more has lost its way."""
        return max(1, round(self.output_ratio * source_tokens)) + self.output_extra


@dataclass(frozen=True, slots=True)
class Quality:
    """One measured score of one direction.

    Attributes:
        source, target: BCP-47 codes; the same twice for summaries in that language.
        metric: Name, as `chrF++` or `BLEU`.
        score: In the metric's own unit; higher is better.
        signature: What reproduces the score (sacrebleu's, for translation); empty where the publisher gives none.
        test_set: Which texts.
        decoding: Which weights and search, as `int8, beam 1`.
        date: Day of the measurement or of the publication.
        measured_by: Who measured: `kunnafoni` for this project and `kunnafoni evaluate`, else the publication that the
            number is taken from, and the day on which it was read if it has none of its own.
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
    """The scores of `new`, and those of `old` of other directions or metrics."""
    measured = {(each.source, each.target, each.metric) for each in new}
    return (*new, *(each for each in old if (each.source, each.target, each.metric) not in measured))


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one model on this machine, to stand beside its entry.

    Attributes:
        id: Of the entry.
        fingerprint: `CatalogEntry.fingerprint` of what was measured; of another build the figures say nothing.
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
    """Under what terms the weights may be used.

    Attributes:
        name: SPDX identifier, or the licence's own name where it has none.
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
    """How a text is put to the model. A backend that needs no template (forced language tokens) leaves it empty.

    Attributes:
        begin_tokens: Tokens before the encoded template.
        end_token: The token that ends an answer; None for the model's own.
        translate: Template with `{text}`, `{source_name}`, `{target_name}`.
        summarize: Template with `{article}`, `{target_name}`.
        filler: Token that, repeated between begin tokens and template, changes nothing: the model was trained with it.
            Prompts to translate are filled up to one of few lengths with it, so that more of them share batches. None
            if there is no such token.
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
        translate_input_tokens: Longest text for one translation, prompt not counted; longer is an error, never cut.
        summarize_input_tokens: The same for a summary.
        summarize_output_tokens: Cap of a summary.
        total_tokens: Prompt and answer together; None where only the other limits count.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT
    translate_input_tokens: Count
    summarize_input_tokens: Count = 1
    summarize_output_tokens: Count = 1
    total_tokens: Count | None = None


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """Everything known of a model without opening its weights. Entries can also be built in code.

    Attributes:
        id: Name in requests, routes and configuration.
        revision: Which build; travels with every result. Of a model that is not on this machine: what `models import`
            fetches, a branch, tag or commit of the hub.
        backend: The module that runs it: `ctranslate2` is `kunnafoni_models.backends.ctranslate2_backend`.
        licence, limits, prompts: See there.
        languages: BCP-47 code -> the model's own code or name of the language.
        directions: Translation directions served.
        summary_languages: Languages in which it summarises a text of that same language.
        extract_languages: Those of `summary_languages` in which an article's own best sentences measured better than
            the model's summaries.
        files: Everything that is read from `folder`, with sizes and digests; empty if the backend needs none.
        folder: Where the files lie; an entry file gives it relative to itself.
        base: What it was made from, for people; empty if nothing.
        parent: Of an adapted model: id and revision of the one it started as, `kunnafoni-270m@2026-11-23`.
        data_sha256: Of an adapted model: digest of the rows it learnt, as `training.memory` takes it.
        parameters: Number of weights; 0 if there are none.
        memory_mb: Peak resident memory of a process that runs it on 32 sentences at once, in MiB; 0 if unknown.
        quality: Measured scores.
        options: What the backend alone understands, as `compute_type`.
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
        """16 hexadecimal digits of all that its answers depend on, and not of where it lies or how good it is.

        A revision may have been made twice under one name, or be prompted and decoded otherwise.
        """
        told = repr(replace(self, folder=Path(), quality=(), memory_mb=0))
        return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()

    def with_figures(self, figures: Figures) -> CatalogEntry:
        """The entry with `figures` in the place of its own of the same directions and metrics."""
        return replace(
            self, quality=merged_scores(self.quality, figures.quality), memory_mb=figures.memory_mb or self.memory_mb
        )

    def __post_init__(self) -> None:
        """Check what the single fields cannot.

        Raises:
            CatalogError: The parts contradict each other.
        """
        pairs = [(each.source, each.target) for each in self.directions]
        summaries = [(language, language) for language in self.summary_languages]
        if not pairs and not summaries:
            raise CatalogError("directions and summary_languages are both empty: the model serves nothing")
        for source, target in (*pairs, *summaries):
            if missing := {source, target} - self.languages.keys():
                raise CatalogError(f"{source}>{target} is served, but languages has no {', '.join(sorted(missing))}")
        for each in self.directions:
            if each.pivot and each.pivot not in self.languages.keys() - {each.source, each.target}:
                raise CatalogError(f"{each.source}>{each.target} has {each.pivot} as pivot, which is no third language")
        for each in self.quality:
            if (each.source, each.target) not in {*pairs, *summaries}:
                raise CatalogError(f"quality has a score of {each.source}>{each.target}, which is not served")
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
