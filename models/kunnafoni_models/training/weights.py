"""What training starts from: the embedded form or a Hugging Face checkpoint, read into one value.

It knows files and shapes. How the tensors are computed with is `network`'s.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError

from kunnafoni_models import registry
from kunnafoni_models.backend import ModelFileError
from kunnafoni_models.catalog.model_files import read_file
from kunnafoni_models.gemma.architecture import Architecture, ArchitectureError
from kunnafoni_models.gemma.model_bin import NORMS
from kunnafoni_models.training.errors import StartError
from kunnafoni_models.training.model_bin import read_model_bin
from kunnafoni_models.training.typed_torch import load_tensors

if TYPE_CHECKING:
    from torch import Tensor

    from kunnafoni_models.catalog.entry import CatalogEntry

EMBEDDED = "kunnafoni-270m"
# What runs decoders in CTranslate2's format.
DECODER_BACKENDS = ("onnxruntime", "ctranslate2")


@dataclass(frozen=True, slots=True)
class Weights:
    """A model in memory.

    Attributes:
        architecture: Its sizes.
        tensors: float32, by their Hugging Face names.
        tokenizer_json: Its tokenizer, in the form of the `tokenizers` library.
        prompts: The catalog entry whose prompts, languages and licence it has.
    """

    architecture: Architecture
    tensors: dict[str, Tensor]
    tokenizer_json: bytes
    prompts: CatalogEntry


def read_weights(start: CatalogEntry | Path, *, prompts: CatalogEntry | None = None) -> Weights:
    """Read a model that training can start from.

    Args:
        start: A catalog entry of a decoder in CTranslate2's format, or the folder of a Hugging Face checkpoint.
        prompts: Whose prompts it has; None for `start`'s own, or the embedded model's for a checkpoint.

    Raises:
        StartError: It is of another architecture, or incomplete.
        ModelFileError: A file is missing or damaged.
    """
    if isinstance(start, Path):
        architecture, tensors, tokenizer_json = _read_hugging_face(start)
        prompts = prompts or registry.catalog()[EMBEDDED]
    else:
        if start.backend not in DECODER_BACKENDS or "family" in start.options:
            raise StartError(
                f"{start.id} is no decoder in CTranslate2's format: give the folder of its checkpoint instead"
            )
        architecture, tensors = read_model_bin(read_file(start, "model.bin"))
        tokenizer_json = bytes(read_file(start, "tokenizer.json"))
        prompts = prompts or start
    _check(architecture, tensors)
    return Weights(architecture, tensors, tokenizer_json, prompts)


def tensor_shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Every tensor of the architecture, by its Hugging Face name, with its shape."""
    hidden, head, wide = architecture.hidden, architecture.head_size, architecture.feed_forward
    queries, keys = architecture.heads * head, architecture.key_value_heads * head
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (architecture.vocabulary, hidden),
        "model.norm.weight": (hidden,),
    }
    for layer in range(architecture.layers):
        here = f"model.layers.{layer}."
        shapes |= {
            f"{here}self_attn.q_proj.weight": (queries, hidden),
            f"{here}self_attn.k_proj.weight": (keys, hidden),
            f"{here}self_attn.v_proj.weight": (keys, hidden),
            f"{here}self_attn.o_proj.weight": (hidden, queries),
            f"{here}mlp.gate_proj.weight": (wide, hidden),
            f"{here}mlp.up_proj.weight": (wide, hidden),
            f"{here}mlp.down_proj.weight": (hidden, wide),
        }
        shapes |= {f"{here}{norm}.weight": (head if "_norm" in norm else hidden,) for norm in NORMS}
    return shapes


def _read_hugging_face(folder: Path) -> tuple[Architecture, dict[str, Tensor], bytes]:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        tokenizer_json = (folder / "tokenizer.json").read_bytes()
    except FileNotFoundError as error:
        raise ModelFileError(f"{error.filename} is missing: give the folder of a checkpoint") from error
    except ValueError as error:
        raise ModelFileError(f"{folder / 'config.json'} cannot be read: copy the checkpoint again") from error
    tensors: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            tensors |= {name: tensor.to(torch.float32) for name, tensor in load_tensors(path).items()}
        except (SafetensorError, OSError) as error:
            raise ModelFileError(f"{path} is damaged: copy the checkpoint again") from error
    tensors.pop("lm_head.weight", None)  # the same as the embedding
    try:
        return Architecture.from_hugging_face(config), tensors, tokenizer_json
    except ArchitectureError as error:
        raise StartError(str(error)) from error


def _check(architecture: Architecture, tensors: dict[str, Tensor]) -> None:
    shapes = tensor_shapes(architecture)
    for name, shape in shapes.items():
        if name not in tensors:
            raise StartError(f"the checkpoint has no tensor {name}")
        if tuple(tensors[name].shape) != shape:
            raise StartError(f"the tensor {name} has shape {tuple(tensors[name].shape)} and should have {shape}")
    if extra := sorted(tensors.keys() - shapes.keys()):
        raise StartError(f"the checkpoint has a tensor {extra[0]}, which the architecture has not")
