"""Checkpoints of every family, small enough for a test: its own classes, random weights, trained tokenizers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Any

import torch
import transformers
from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES as m2m100_codes  # noqa: N811

from kunnafoni_models.importing.checkpoint_profile import ImportHints
from tests.models.tiny_tokenizers import (
    bart_tokenizer,
    gemma_tokenizer,
    nllb_tokenizer,
    pieces,
    sentencepiece_model,
    tokenizer_from_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHAT = (
    "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ message['role'] }}\n{{ message['content'] }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
LOUDNESS = 4.0
# Neither library has all its types.
_TORCH: Any = torch
_CLASSES: Any = transformers
SIZE: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 192,
    "init_std": 0.4,
    "dropout": 0.0,
}


@dataclass(frozen=True)
class Shape:
    """A family's tiny checkpoint: the function that builds it, and the hints that its import needs."""

    build: Callable[[Path], None]
    family: str | None
    hints: ImportHints


def _save(folder: Path, model: Any, tokenizer: Any, *, spread: float = 0.7, embeddings: float = 1.0) -> None:
    _TORCH.manual_seed(1)
    model.eval()
    # Random weights alone repeat one token and never end: stronger layers and a louder end token mend that.
    for name, weight in model.named_parameters():
        if weight.dim() > 1 and "embed_positions" not in name:
            torch.nn.init.normal_(weight, std=embeddings if "shared" in name or "embed" in name else spread)
    ends = model.get_output_embeddings().weight
    with torch.no_grad():
        ends[model.generation_config.eos_token_id] *= LOUDNESS
        model.get_input_embeddings().weight[model.config.pad_token_id] = 0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def nllb(folder: Path) -> None:
    tokenizer = nllb_tokenizer(folder)
    _save(folder, _m2m100(tokenizer, len(tokenizer)), tokenizer)


def m2m100(folder: Path) -> None:
    model = sentencepiece_model("bpe")
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    # A few pieces are left out, as in the published vocabulary.
    for piece, _ in pieces(model)[:-6]:
        vocabulary[piece] = len(vocabulary)
    codes = [f"__{code}__" for code in m2m100_codes["m2m100"]]
    tokenizer = tokenizer_from_files(
        folder,
        transformers.M2M100Tokenizer,
        {"sentencepiece.bpe.model": model, "vocab.json": vocabulary},
        additional_special_tokens=codes,
    )
    _save(folder, _m2m100(tokenizer, len(tokenizer) + tokenizer.num_madeup_words), tokenizer)


def _m2m100(tokenizer: Any, size: int) -> Any:
    config = transformers.M2M100Config(
        vocab_size=size,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.eos_token_id,
        **SIZE,
    )
    return transformers.M2M100ForConditionalGeneration(config)


def mbart50(folder: Path) -> None:
    tokenizer = tokenizer_from_files(
        folder, transformers.MBart50Tokenizer, {"sentencepiece.bpe.model": sentencepiece_model("unigram")}
    )
    config = _CLASSES.MBartConfig(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.eos_token_id,
        forced_eos_token_id=tokenizer.eos_token_id,
        tokenizer_class="MBart50Tokenizer",
        scale_embedding=True,
        **SIZE,
    )
    _save(folder, transformers.MBartForConditionalGeneration(config), tokenizer)


def marian(folder: Path) -> None:
    source = sentencepiece_model("unigram")
    target = sentencepiece_model("unigram", seed_sentencepiece_size=2000)
    vocabulary = {"</s>": 0, "<unk>": 1}
    for piece, _ in (*pieces(source), *pieces(target)):
        vocabulary.setdefault(piece, len(vocabulary))
    vocabulary["<pad>"] = len(vocabulary)
    tokenizer = tokenizer_from_files(
        folder,
        transformers.MarianTokenizer,
        {"source.spm": source, "target.spm": target, "vocab.json": vocabulary},
        source_lang="en",
        target_lang="fr",
    )
    config = transformers.MarianConfig(
        vocab_size=len(vocabulary),
        pad_token_id=vocabulary["<pad>"],
        eos_token_id=0,
        bos_token_id=0,
        decoder_start_token_id=vocabulary["<pad>"],
        forced_eos_token_id=0,
        scale_embedding=True,
        activation_function="swish",
        share_encoder_decoder_embeddings=True,
        **SIZE,
    )
    model = transformers.MarianMTModel(config)
    model.generation_config.bad_words_ids = [[vocabulary["<pad>"]]]
    _save(folder, model, tokenizer)


def _t5(folder: Path, config_class: Any, model_class: Any, **options: Any) -> None:
    files: dict[str, Any] = {
        "spiece.model": sentencepiece_model("unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, **options)
    }
    tokenizer = tokenizer_from_files(folder, transformers.T5Tokenizer, files, extra_ids=10)
    config = config_class(
        vocab_size=len(tokenizer) + 6,  # the published ones are padded too
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        initializer_factor=1.0,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        tie_word_embeddings=False,
    )
    _save(folder, model_class(config), tokenizer)


def t5(folder: Path) -> None:
    _t5(folder, transformers.T5Config, transformers.T5ForConditionalGeneration)


def mt5(folder: Path) -> None:
    _t5(folder, transformers.MT5Config, transformers.MT5ForConditionalGeneration)


def madlad(folder: Path) -> None:
    symbols = ["<2en>", "<2fr>", "<2bm>"]
    _t5(folder, transformers.T5Config, transformers.T5ForConditionalGeneration, user_defined_symbols=symbols)


def bart(folder: Path) -> None:
    tokenizer = bart_tokenizer()
    config = _CLASSES.BartConfig(
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.eos_token_id,
        forced_bos_token_id=tokenizer.bos_token_id,
        forced_eos_token_id=tokenizer.eos_token_id,
        **SIZE,
    )
    model = _CLASSES.BartForConditionalGeneration(config)
    # What bart-large-cnn brings along and a caller must not feel.
    model.generation_config.update(num_beams=4, min_length=20, no_repeat_ngram_size=3, max_length=30)
    _save(folder, model, tokenizer)


def pegasus(folder: Path) -> None:
    special = ["<pad>", "</s>", "<mask_1>", "<mask_2>", *(f"<unk_{i}>" for i in range(2, 103)), "<unk>"]
    vocabulary = [(token, 0.0) for token in special] + pieces(sentencepiece_model("unigram"))
    tokenizer = transformers.PegasusTokenizer(vocab=vocabulary)
    config = _CLASSES.PegasusConfig(
        vocab_size=len(tokenizer),
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=0,
        decoder_start_token_id=0,
        scale_embedding=True,
        **SIZE,
    )
    _save(folder, transformers.PegasusForConditionalGeneration(config), tokenizer)


def gemma3_chat(folder: Path) -> None:
    gemma3(folder, chat_template=CHAT)


def gemma3(folder: Path, chat_template: str | None = None, window: int = 512, key_heads: int = 1) -> None:
    tokenizer = gemma_tokenizer()
    tokenizer.chat_template = chat_template
    config = transformers.Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=key_heads,
        head_dim=16,
        query_pre_attn_scalar=16,
        max_position_embeddings=1024,
        sliding_window=window,
        layer_types=["sliding_attention", "full_attention"],
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )
    _save(folder, transformers.Gemma3ForCausalLM(config), tokenizer, spread=0.3, embeddings=0.03)


_SOME = (("en", "fr"),), ("en",)
_ALL = tuple(permutations(("en", "fr", "bm"), 2))
SHAPES = {
    "nllb": Shape(nllb, "nllb", ImportHints(summary_languages=("bm",))),
    "m2m100": Shape(m2m100, "m2m100", ImportHints(directions=_ALL, languages={"bm": "__sw__"})),
    "mbart50": Shape(mbart50, "mbart50", ImportHints(summary_languages=("fr",))),
    "marian": Shape(marian, "marian", ImportHints()),
    "t5": Shape(
        t5,
        "t5",
        ImportHints(*_SOME, {}, "translate {source_name} to {target_name}: {text}", "summarize: {article}"),
    ),
    "mt5": Shape(mt5, "t5", ImportHints(*_SOME)),
    "madlad": Shape(madlad, "madlad", ImportHints()),
    "bart": Shape(bart, "bart", ImportHints(*_SOME)),
    "pegasus": Shape(pegasus, "pegasus", ImportHints(*_SOME)),
    "gemma3": Shape(
        gemma3,
        None,
        ImportHints(
            _ALL, ("en",), {}, "{source_name}: {text}\n{target_name}:", "{article}\n\nSummary in {target_name}:"
        ),
    ),
    "gemma3-chat": Shape(gemma3_chat, None, ImportHints(_ALL, ("en",))),
}


def tiny(name: str, folder: Path) -> Path:
    """Build the checkpoint `name` in the new folder `folder`, with a model card that states a licence."""
    SHAPES[name].build(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model for tests\n", "utf-8")
    return folder
