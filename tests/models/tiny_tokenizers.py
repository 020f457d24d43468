"""Tokenizers for the tiny checkpoints: the families' own classes, trained on a few lines written for these tests."""

from __future__ import annotations

import io
import json
import random
import warnings
from typing import TYPE_CHECKING, Any

import sentencepiece
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

if TYPE_CHECKING:
    from pathlib import Path

# The library does not have all its types.
_CLASSES: Any = transformers
LINES = [
    "The council met on Monday in the old town hall.",
    "Le conseil s'est réuni lundi dans la vieille mairie.",
    "Dugutigi ye jama lajɛ ntɛnɛ don na sugu kɔfɛ.",
    "Rain fell on the market, and the farmers were glad of it.",
    "La pluie est tombée sur le marché, et les paysans en sont contents.",
    "Sanji nana sugu kan, sɛnɛkɛlaw nisɔnw diyara kosɛbɛ.",
    "The price of rice rose by 12 percent in 2024, said the minister.",
    "Le prix du riz a augmenté de 12 pour cent en 2024, dit le ministre.",
    "Malo sɔngɔ yɛlɛla kɛmɛ sara 12 san 2024 la, minisiri y'o fɔ.",
    "A new school opens its doors to two hundred children.",
    "Une école neuve ouvre ses portes à deux cents enfants.",
    "Lakɔli kura da yɛlɛla denmisɛn kɛmɛ fila ye.",
    "Who will pay for the bridge over the river?",
    "Qui paiera le pont sur le fleuve ?",
    "Jɔn bɛna babilila pɔn sara?",
]
WORDS = sorted({word for line in LINES for word in line.split()})


def sentences(count: int, *, seed: int = 0, longest: int = 16) -> list[str]:
    """Random sentences of one to `longest` words of all three languages."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, longest))) for _ in range(count)]


def sentencepiece_model(kind: str, **options: Any) -> bytes:
    """A model trained on the lines above."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 3),
        model_writer=written,
        model_type=kind,
        vocab_size=260,
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    return written.getvalue()


def pieces(model: bytes) -> list[tuple[str, float]]:
    loaded = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [(loaded.id_to_piece(i), loaded.get_score(i)) for i in range(3, loaded.get_piece_size())]


def tokenizer_from_files(
    folder: Path, kind: Any, files: dict[str, bytes | dict[str, Any] | list[Any]], **options: Any
) -> Any:
    """A tokenizer out of the files that the published checkpoints have."""
    source = folder.parent / f"{folder.name}-tokenizer"
    source.mkdir(parents=True)
    for name, content in files.items():
        (source / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    (source / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind.__name__, **options}))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        return kind.from_pretrained(source)


def nllb_tokenizer(folder: Path) -> Any:
    return tokenizer_from_files(
        folder,
        transformers.NllbTokenizer,
        {"sentencepiece.bpe.model": sentencepiece_model("bpe")},
        additional_special_tokens=["eng_Latn", "fra_Latn", "bam_Latn"],
    )


def bart_tokenizer() -> Any:
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    trained.train_from_iterator(LINES, trainer)
    learnt = json.loads(trained.to_str())["model"]
    return _CLASSES.BartTokenizer(vocab=learnt["vocab"], merges=[tuple(pair) for pair in learnt["merges"]])


def gemma_tokenizer() -> Any:
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    trained = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=[*special, *bytes_], show_progress=False)
    trained.train_from_iterator(LINES, trainer)
    learnt = json.loads(trained.to_str())["model"]
    return _CLASSES.GemmaTokenizer(
        vocab=learnt["vocab"],
        merges=[tuple(pair) for pair in learnt["merges"]],
        extra_special_tokens=["<start_of_turn>", "<end_of_turn>"],
    )
