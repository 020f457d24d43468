"""What an imported checkpoint can do: its family, codes, directions, templates and limits, read off its own files.

It knows the habits of the families, no catalog and no weights. What a checkpoint does not say must be given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import permutations
from typing import TYPE_CHECKING, Any

from kunnafoni_models.backend import CatalogError, ModelLoadError
from kunnafoni_models.catalog.entry import Direction, Limits, Prompts
from kunnafoni_models.prompts.encoder_decoder import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kunnafoni_models.prompts.encoder_decoder import Pieces

NAMES = {"en": "English", "fr": "French", "bm": "Bambara"}
_CODES = {
    "nllb": {"en": "eng_Latn", "fr": "fra_Latn", "bm": "bam_Latn"},
    "m2m100": {"en": "__en__", "fr": "__fr__"},
    "mbart50": {"en": "en_XX", "fr": "fr_XX"},
    "madlad": {"en": "<2en>", "fr": "<2fr>", "bm": "<2bm>"},
}
_MODEL_TYPES = {
    "m2m_100": "m2m100",
    "mbart": "mbart50",
    "marian": "marian",
    "t5": "t5",
    "mt5": "t5",
    "umt5": "t5",
    "bart": "bart",
    "pegasus": "pegasus",
}
# Sentences of more tokens are rare, and no family was trained on many of them.
_TRANSLATE_TOKENS = 256
_SUMMARIZE_TOKENS = 1024
_SUMMARY_TOKENS = 128
_ROOM = 8  # special tokens and codes around a text
_TEMPLATE_ROOM = 64
_INSTRUCTION = "Translate this text from {source_name} to {target_name}. Answer with the translation only.\n\n{text}"
_SUMMARY_INSTRUCTION = "Summarise this article in {target_name}. Answer with the summary only.\n\n{article}"


@dataclass(frozen=True, slots=True)
class ImportHints:
    """What whoever imports says of the checkpoint; empty values leave it to the checkpoint and its family.

    Attributes:
        directions: Pairs of BCP-47 codes.
        summary_languages: BCP-47 codes.
        languages: BCP-47 code -> the model's own code or name.
        translate, summarize: Templates, see `Prompts`.
    """

    directions: tuple[tuple[str, str], ...] = ()
    summary_languages: tuple[str, ...] = ()
    languages: Mapping[str, str] = field(default_factory=dict[str, str])
    translate: str = ""
    summarize: str = ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """The part of a catalog entry that comes from the checkpoint's kind; `family` is None for a causal model."""

    family: str | None
    languages: Mapping[str, str]
    directions: tuple[Direction, ...]
    summary_languages: tuple[str, ...]
    prompts: Prompts
    limits: Limits


def family_of(config: Any, tokenizer: Any, pieces: Pieces) -> str | None:
    """The family of a checkpoint; None for a causal model.

    Raises:
        ModelLoadError: It is an encoder-decoder of no known family.
    """
    if not config.is_encoder_decoder:
        return None
    family = _MODEL_TYPES.get(config.model_type)
    if family is None:
        raise ModelLoadError(
            f"the architecture {config.model_type} is of no family known here ({', '.join(FAMILIES)}): "
            "take another model"
        )
    if family == "m2m100" and "Nllb" in type(tokenizer).__name__:
        return "nllb"
    if family == "marian" and getattr(tokenizer, "supported_language_codes", ()):
        return "marian-to-many"
    if family == "t5" and pieces.knows("<2fr>"):
        return "madlad"
    return family


def recipe(
    config: Any, tokenizer: Any, pieces: Pieces, wishes: ImportHints, *, max_prompt_tokens: int | None
) -> Recipe:
    """Put together what the checkpoint says, what its family does, and `wishes`, which win.

    Args:
        config: Of transformers.
        tokenizer: Of transformers.
        pieces: The same tokenizer.
        wishes: See there.
        max_prompt_tokens: Longest prompt that the backend reads rightly; None for all that the model takes.

    Raises:
        ModelLoadError: See `family_of`.
        CatalogError: It remains unknown what the model does, or how it is asked.
    """
    family = family_of(config, tokenizer, pieces)
    codes = {code: name for code, name in _CODES.get(family or "", {}).items() if pieces.knows(name)}
    pairs = wishes.directions or _pairs(family, tokenizer, codes)
    if not pairs and not wishes.summary_languages:
        raise CatalogError(
            f"what a model of the kind {config.model_type} does is not in its files: "
            "say it with --direction en>fr or --summaries en, as often as needed"
        )
    needed = {language for pair in pairs for language in pair} | set(wishes.summary_languages)
    # A code that the family does not know is asked for below, by the writer that needs it.
    languages = {code: wishes.languages.get(code, codes.get(code, NAMES.get(code, code))) for code in sorted(needed)}
    return Recipe(
        family,
        languages,
        tuple(Direction(source, target) for source, target in pairs),
        wishes.summary_languages,
        _prompts(config, tokenizer, family, bool(pairs), wishes),
        _limits(config, max_prompt_tokens),
    )


def _pairs(family: str | None, tokenizer: Any, codes: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    if family == "marian":
        source, target = str(tokenizer.source_lang), str(tokenizer.target_lang)
        return ((source, target),) if {source, target} <= NAMES.keys() else ()
    return tuple(permutations(codes, 2))


def _prompts(config: Any, tokenizer: Any, family: str | None, translates: bool, wishes: ImportHints) -> Prompts:
    if family:
        return Prompts(translate=wishes.translate or "{text}", summarize=wishes.summarize or "{article}")
    if getattr(tokenizer, "chat_template", None):
        return Prompts(
            translate=_chat(tokenizer, wishes.translate or _INSTRUCTION),
            summarize=_chat(tokenizer, wishes.summarize or _SUMMARY_INSTRUCTION),
            end_token=_turn_end(tokenizer),
        )
    if (translates and not wishes.translate) or (wishes.summary_languages and not wishes.summarize):
        raise CatalogError(
            f"a model of the kind {config.model_type} without a chat template must be told how it is asked: give "
            "--translate-prompt with {text}, {source_name}, {target_name}, or --summarize-prompt with {article}"
        )
    begin = (str(tokenizer.bos_token),) if tokenizer.bos_token else ()
    return Prompts(begin, None, wishes.translate or "{text}", wishes.summarize or "{article}")


def _chat(tokenizer: Any, instruction: str) -> str:
    """The instruction as one turn of the model's own chat, with the places for the text still open."""
    fields = ("text", "article", "source_name", "target_name")
    marks = {name: f"\ue000{name}\ue001" for name in fields}
    turn = [{"role": "user", "content": instruction.format_map(marks)}]
    written = str(tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True))
    written = written.replace("{", "{{").replace("}", "}}")
    for name, mark in marks.items():
        written = written.replace(mark, f"{{{name}}}")
    return written


def _turn_end(tokenizer: Any) -> str | None:
    vocabulary = tokenizer.get_vocab()
    known = ("<end_of_turn>", "<|im_end|>", "<|eot_id|>", "<|end|>")
    return next((token for token in known if token in vocabulary), None)


def _limits(config: Any, max_prompt_tokens: int | None) -> Limits:
    positions = getattr(config, "max_position_embeddings", None)
    if not positions:
        return Limits(_TRANSLATE_TOKENS, _SUMMARIZE_TOKENS, _SUMMARY_TOKENS)
    if config.is_encoder_decoder:
        # The answer has positions of its own, and twice the text and sixteen tokens must fit there.
        translate = min(_TRANSLATE_TOKENS, (positions - 16 - _ROOM) // 2)
        return Limits(
            translate, min(_SUMMARIZE_TOKENS, positions - _ROOM), min(_SUMMARY_TOKENS, positions // 2), positions
        )
    summary = min(_SUMMARY_TOKENS, positions // 4)
    prompt = min(positions - summary, max_prompt_tokens or positions) - _TEMPLATE_ROOM
    translate = min(_TRANSLATE_TOKENS, prompt, (positions - 16 - _TEMPLATE_ROOM) // 3)
    summarize = min(4 * _SUMMARIZE_TOKENS, prompt)
    if min(translate, summarize) < 1:
        raise CatalogError(f"the model takes prompts of {prompt + _TEMPLATE_ROOM} tokens only: too few for a sentence")
    return Limits(translate, summarize, summary, positions)
