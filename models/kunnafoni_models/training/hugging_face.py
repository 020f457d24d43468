"""A model as a folder that `transformers` loads and CTranslate2 converts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kunnafoni_models.training.errors import StartError
from kunnafoni_models.training.typed_torch import save_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from kunnafoni_models.training.weights import Weights

SPECIAL_TOKENS = {"pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"}


def write_hugging_face(folder: Path, weights: Weights) -> None:
    """Write `weights` into `folder`, in float32: bfloat16 would leave the int8 grid on which a run ends.

    Raises:
        StartError: The tokenizer lacks one of Gemma's special tokens.
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = json.loads(weights.tokenizer_json)["model"]["vocab"]
    if missing := SPECIAL_TOKENS.values() - vocabulary.keys():
        raise StartError(f"the tokenizer has no token {', '.join(sorted(missing))}")
    numbers = {f"{name}_id": vocabulary[token] for name, token in SPECIAL_TOKENS.items() if name != "unk_token"}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.tensors.items()}
    save_tensors(folder / "model.safetensors", tensors, metadata={"format": "pt"})
    (folder / "tokenizer.json").write_bytes(weights.tokenizer_json)
    for name, content in {
        "config.json": weights.architecture.to_hugging_face() | numbers,
        "generation_config.json": numbers,
        "tokenizer_config.json": {"tokenizer_class": "GemmaTokenizer", **SPECIAL_TOKENS},
    }.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
