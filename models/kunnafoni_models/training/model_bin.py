"""A CTranslate2 `model.bin` and a Gemma 3 decoder in it, as named float32 tensors under Hugging Face's names.

It knows the file format (`ctranslate2/specs/model_spec.py`, binary version 6) and what the converter calls the parts.
It does not know where the bytes come from.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kunnafoni_models.training.architecture import Architecture
from kunnafoni_models.training.errors import StartError
from kunnafoni_models.training.typed_torch import from_numpy, split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    Variables = Mapping[str, NDArray[Any]]

_BINARY_VERSION = 6
# In the order of CTranslate2's own numbers; the last is bfloat16, which numpy does not have.
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16, np.uint16)
NORMS = {
    "input_layernorm": "input_layer_norm",
    "post_attention_layernorm": "post_attention_layer_norm",
    "pre_feedforward_layernorm": "pre_feedforward_layer_norm",
    "post_feedforward_layernorm": "post_feedforward_layer_norm",
    "self_attn.q_norm": "self_attention/q_norm",
    "self_attn.k_norm": "self_attention/k_norm",
}
_MATRICES = {
    "self_attn.o_proj": "self_attention/linear_1",
    "mlp.gate_proj": "ffn/linear_0",
    "mlp.up_proj": "ffn/linear_0_noact",
    "mlp.down_proj": "ffn/linear_1",
}


def read_model_bin(data: bytes | bytearray) -> tuple[Architecture, dict[str, Tensor]]:
    """Read the decoder in `data`.

    Returns:
        Its sizes, and its tensors in float32 by their Hugging Face names; int8 rows are multiplied out.

    Raises:
        StartError: The bytes are no `model.bin`, or hold no Gemma 3 decoder.
    """
    try:
        variables = _variables(data)
        architecture = _architecture(variables)
        return architecture, _tensors(variables, architecture)
    except (KeyError, struct.error, IndexError, ValueError) as error:
        raise StartError(f"the weights hold no Gemma 3 decoder that can be trained ({error!r})") from error


def _variables(data: bytes | bytearray) -> Variables:
    """Every variable of a `model.bin`, read-only and without a copy, by its name; bfloat16 comes as uint16."""
    reader = _Reader(data)
    if (version := reader.number("I")) != _BINARY_VERSION:
        raise StartError(f"the weights are in version {version} of CTranslate2's format, not {_BINARY_VERSION}")
    reader.text()  # name of the specification
    reader.number("I")  # its revision
    variables = dict(reader.variable() for _ in range(reader.number("I")))
    # Variables with the same content are written once, and the others named after it.
    aliases = {reader.text(): reader.text() for _ in range(reader.number("I"))}
    return variables | {alias: variables[name] for alias, name in aliases.items()}


@dataclass(slots=True)
class _Reader:
    data: bytes | bytearray
    at: int = 0

    def number(self, kind: str) -> int:
        [value] = struct.unpack_from(f"<{kind}", self.data, self.at)
        self.at += struct.calcsize(kind)
        return value

    def text(self) -> str:
        size = self.number("H")
        value = self.data[self.at : self.at + size - 1].decode()
        self.at += size
        return value

    def variable(self) -> tuple[str, NDArray[Any]]:
        name, rank = self.text(), self.number("B")
        shape = [self.number("I") for _ in range(rank)]
        kind: np.dtype[Any] = np.dtype(_TYPES[self.number("B")])
        size = self.number("I")
        values: NDArray[Any] = np.frombuffer(self.data, kind, size // kind.itemsize, self.at).reshape(shape)
        self.at += size
        return name, values


def _architecture(variables: Variables) -> Architecture:
    def number(name: str, otherwise: float | None = None) -> float:
        value = variables.get(f"decoder/{name}")
        if value is None and otherwise is not None:
            return otherwise
        return variables[f"decoder/{name}"].item()

    layers = len({name.split("/")[1] for name in variables if name.startswith("decoder/layer_")} - {"layer_norm"})
    heads = int(number("num_heads"))
    windows = [int(number(f"layer_{layer}/self_attention/sliding_window")) for layer in range(layers)]
    thetas = {window: number(f"layer_{i}/self_attention/rotary_base") for i, window in enumerate(windows)}
    vocabulary, hidden = variables["decoder/embeddings/weight"].shape
    return Architecture(
        vocabulary=vocabulary,
        hidden=hidden,
        feed_forward=variables["decoder/layer_0/ffn/linear_0/weight"].shape[0],
        heads=heads,
        # The converter leaves it out where every query head has keys of its own.
        key_value_heads=int(number("layer_0/self_attention/num_heads_kv", heads)),
        head_size=int(number("layer_0/self_attention/head_dim")),
        full_attention=tuple(window == 0 for window in windows),
        window=int(number("sliding_window")),
        full_theta=thetas.get(0, 1e6),
        sliding_theta=next((theta for window, theta in thetas.items() if window), 1e4),
    )


def _tensors(variables: Variables, architecture: Architecture) -> dict[str, Tensor]:
    tensors = {
        "model.embed_tokens.weight": _matrix(variables, "decoder/embeddings"),
        "model.norm.weight": _floats(variables["decoder/layer_norm/gamma"]),
    }
    keys = architecture.key_value_heads * architecture.head_size
    for layer in range(architecture.layers):
        ours, theirs = f"model.layers.{layer}.", f"decoder/layer_{layer}/"
        fused = _matrix(variables, f"{theirs}self_attention/linear_0")
        parts = split(fused, [architecture.heads * architecture.head_size, keys, keys])
        for name, part in zip("qkv", parts, strict=True):
            tensors[f"{ours}self_attn.{name}_proj.weight"] = part.clone()
        tensors |= {f"{ours}{a}.weight": _matrix(variables, f"{theirs}{b}") for a, b in _MATRICES.items()}
        tensors |= {f"{ours}{a}.weight": _floats(variables[f"{theirs}{b}/gamma"]) for a, b in NORMS.items()}
    return tensors


def _matrix(variables: Variables, name: str) -> Tensor:
    weight = _floats(variables[f"{name}/weight"])
    scale = variables.get(f"{name}/weight_scale")
    return weight if scale is None else weight / _floats(scale)[:, None]


def _floats(values: NDArray[Any]) -> Tensor:
    if values.dtype == np.uint16:
        return from_numpy(values.view(np.int16).copy()).view(torch.bfloat16).float()
    return from_numpy(values.astype(np.float32))
