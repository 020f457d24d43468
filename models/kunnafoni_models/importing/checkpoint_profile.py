"""What an imported checkpoint can do: its family, language codes, directions, templates and limits, from its own files.

It knows the conventions of the families, no catalog and no weights. What a checkpoint does not say, the user must say.
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

    from kunnafoni_models.prompts.encoder_decoder import Tokenizer

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
# Longer sentences are rare, and no family was trained on many of them.
_TRANSLATE_TOKENS = 256
_SUMMARIZE_TOKENS = 1024
_SUMMARY_TOKENS = 128
_SPECIAL_TOKENS = 8  # most special tokens and language codes around a text
_TEMPLATE_TOKENS = 64  # most tokens of a template
_INSTRUCTION = "Translate this text from {source_name} to {target_name}. Answer with the translation only.\n\n{text}"
_SUMMARY_INSTRUCTION = "Summarise this article in {target_name}. Answer with the summary only.\n\n{article}"


@dataclass(frozen=True, slots=True)
class ImportHints:
    """What the user says about the checkpoint; empty values are taken from the checkpoint and its family.

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
class CheckpointProfile:
    """The part of a catalog entry that follows from the checkpoint; `family` is None for a decoder-only model."""

    family: str | None
    languages: Mapping[str, str]
    directions: tuple[Direction, ...]
    summary_languages: tuple[str, ...]
    prompts: Prompts
    limits: Limits


def family_of(config: Any, tokenizer: Any, tokens: Tokenizer) -> str | None:
    """The family of a checkpoint; None for a decoder-only model.

    Raises:
        ModelLoadError: It is an encoder-decoder of an unknown family.
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
    if family == "t5" and tokens.has_token("<2fr>"):
        return "madlad"
    return family


def profile_checkpoint(
    config: Any, tokenizer: Any, tokens: Tokenizer, hints: ImportHints, *, max_prompt_tokens: int | None
) -> CheckpointProfile:
    """Combine what the checkpoint says, the conventions of its family, and `hints`, which have precedence.

    Args:
        config: Of transformers.
        tokenizer: Of transformers.
        tokens: The same tokenizer, as prompts use it.
        hints: What the user says.
        max_prompt_tokens: Longest prompt that the backend reads correctly; None if it has no limit of its own.

    Raises:
        ModelLoadError: See `family_of`.
        CatalogError: Nothing says what the model does, or how its prompts are written.
    """
    family = family_of(config, tokenizer, tokens)
    codes = {code: name for code, name in _CODES.get(family or "", {}).items() if tokens.has_token(name)}
    pairs = hints.directions or _pairs(family, tokenizer, codes)
    if not pairs and not hints.summary_languages:
        raise CatalogError(
            f"the files do not say what a model of the kind {config.model_type} does: "
            "say it with --direction en>fr or --summaries en, as often as needed"
        )
    needed = {language for pair in pairs for language in pair} | set(hints.summary_languages)
    # The prompt writer raises an error for a code that it needs and the family does not know.
    languages = {code: hints.languages.get(code, codes.get(code, NAMES.get(code, code))) for code in sorted(needed)}
    return CheckpointProfile(
        family,
        languages,
        tuple(Direction(source, target) for source, target in pairs),
        hints.summary_languages,
        _prompts(config, tokenizer, family, bool(pairs), hints),
        _limits(config, max_prompt_tokens),
    )


def _pairs(family: str | None, tokenizer: Any, codes: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    if family == "marian":
        source, target = str(tokenizer.source_lang), str(tokenizer.target_lang)
        return ((source, target),) if {source, target} <= NAMES.keys() else ()
    return tuple(permutations(codes, 2))


def _prompts(config: Any, tokenizer: Any, family: str | None, translates: bool, hints: ImportHints) -> Prompts:
    if family:
        return Prompts(translate=hints.translate or "{text}", summarize=hints.summarize or "{article}")
    if getattr(tokenizer, "chat_template", None):
        return Prompts(
            translate=_chat(tokenizer, hints.translate or _INSTRUCTION),
            summarize=_chat(tokenizer, hints.summarize or _SUMMARY_INSTRUCTION),
            end_token=_turn_end(tokenizer),
        )
    if (translates and not hints.translate) or (hints.summary_languages and not hints.summarize):
        raise CatalogError(
            f"a model of the kind {config.model_type} without a chat template needs templates of prompts: give "
            "--translate-prompt with {text}, {source_name}, {target_name}, or --summarize-prompt with {article}"
        )
    begin = (str(tokenizer.bos_token),) if tokenizer.bos_token else ()
    return Prompts(begin, None, hints.translate or "{text}", hints.summarize or "{article}")


def _chat(tokenizer: Any, instruction: str) -> str:
    """The instruction as one turn of the model's own chat, with placeholders for the text."""
    fields = ("text", "article", "source_name", "target_name")
    markers = {name: f"\ue000{name}\ue001" for name in fields}
    turn = [{"role": "user", "content": instruction.format_map(markers)}]
    template = str(tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True))
    template = template.replace("{", "{{").replace("}", "}}")
    for name, marker in markers.items():
        template = template.replace(marker, f"{{{name}}}")
    return template


def _turn_end(tokenizer: Any) -> str | None:
    vocabulary = tokenizer.get_vocab()
    known = ("<end_of_turn>", "<|im_end|>", "<|eot_id|>", "<|end|>")
    return next((token for token in known if token in vocabulary), None)


def _limits(config: Any, max_prompt_tokens: int | None) -> Limits:
    positions = getattr(config, "max_position_embeddings", None)
    if not positions:
        return Limits(_TRANSLATE_TOKENS, _SUMMARIZE_TOKENS, _SUMMARY_TOKENS)
    if config.is_encoder_decoder:
        # The output has positions of its own; the default output cap, twice the text and 16 tokens, must fit there.
        translate = min(_TRANSLATE_TOKENS, (positions - 16 - _SPECIAL_TOKENS) // 2)
        return Limits(
            translate,
            min(_SUMMARIZE_TOKENS, positions - _SPECIAL_TOKENS),
            min(_SUMMARY_TOKENS, positions // 2),
            positions,
        )
    summary = min(_SUMMARY_TOKENS, positions // 4)
    prompt = min(positions - summary, max_prompt_tokens or positions) - _TEMPLATE_TOKENS
    translate = min(_TRANSLATE_TOKENS, prompt, (positions - 16 - _TEMPLATE_TOKENS) // 3)
    summarize = min(4 * _SUMMARIZE_TOKENS, prompt)
    if min(translate, summarize) < 1:
        raise CatalogError(
            f"the model takes prompts of {prompt + _TEMPLATE_TOKENS} tokens only: too few for a sentence"
        )
    return Limits(translate, summarize, summary, positions)
