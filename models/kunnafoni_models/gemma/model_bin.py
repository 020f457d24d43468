"""Reads the Gemma 3 decoder in a CTranslate2 `model.bin`, as arrays under Hugging Face's names.

It knows the file format (`ctranslate2/specs/model_spec.py`, binary version 6) and the names that the converter gives to
the parts. It does not know where the bytes come from, or what computes with them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kunnafoni_models.gemma.architecture import Architecture, ArchitectureError

Variables = Mapping[str, NDArray[Any]]

_BINARY_VERSION = 6
# By CTranslate2's own type numbers; the last is bfloat16, which numpy does not have.
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


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """One matrix or vector of a model, read-only and without a copy of the file's bytes.

    Attributes:
        values: A matrix has one row per output; bfloat16 values have the type uint16.
        scale: Of an int8 matrix, the divisor of each row; None if the values are not quantised.
    """

    values: NDArray[Any]
    scale: NDArray[np.float32] | None = None

    def floats(self) -> NDArray[np.float32]:
        """A copy in float32, int8 values dequantised."""
        if self.values.dtype == np.uint16:
            return (self.values.astype(np.uint32) << 16).view(np.float32)
        values = self.values.astype(np.float32)
        return values if self.scale is None else values / self.scale[:, None]

    def rows(self, start: int, stop: int) -> Parameter:
        """The rows of a matrix from `start` up to `stop`."""
        return Parameter(self.values[start:stop], None if self.scale is None else self.scale[start:stop])


def read_decoder(data: bytes | bytearray) -> tuple[Architecture, dict[str, Parameter]]:
    """Read the decoder in `data`: its sizes, and its parameters by their Hugging Face names.

    Raises:
        ArchitectureError: The bytes are no `model.bin`, or hold no Gemma 3 decoder.
    """
    try:
        variables = _variables(data)
        architecture = _architecture(variables)
        return architecture, _parameters(variables, architecture)
    except (KeyError, struct.error, IndexError, ValueError) as error:
        raise ArchitectureError(f"the weights hold no Gemma 3 decoder ({error!r})") from error


def _variables(data: bytes | bytearray) -> Variables:
    """All variables of a `model.bin` by name."""
    reader = _Reader(data)
    if (version := reader.number("I")) != _BINARY_VERSION:
        raise ArchitectureError(f"the weights are in version {version} of CTranslate2's format, not {_BINARY_VERSION}")
    reader.text()  # name of the specification
    reader.number("I")  # its revision
    variables = dict(reader.variable() for _ in range(reader.number("I")))
    # Variables with equal contents are written once; the other names are aliases.
    aliases = {reader.text(): reader.text() for _ in range(reader.number("I"))}
    return variables | {alias: variables[name] for alias, name in aliases.items()}


@dataclass(slots=True)
class _Reader:
    data: bytes | bytearray
    at: int = 0

    def number(self, type_code: str) -> int:
        [value] = struct.unpack_from(f"<{type_code}", self.data, self.at)
        self.at += struct.calcsize(type_code)
        return value

    def text(self) -> str:
        size = self.number("H")
        value = self.data[self.at : self.at + size - 1].decode()
        self.at += size
        return value

    def variable(self) -> tuple[str, NDArray[Any]]:
        name, rank = self.text(), self.number("B")
        shape = [self.number("I") for _ in range(rank)]
        dtype: np.dtype[Any] = np.dtype(_TYPES[self.number("B")])
        size = self.number("I")
        values: NDArray[Any] = np.frombuffer(self.data, dtype, size // dtype.itemsize, self.at).reshape(shape)
        self.at += size
        return name, values


def _architecture(variables: Variables) -> Architecture:
    def number(name: str, default: float | None = None) -> float:
        value = variables.get(f"decoder/{name}")
        if value is None and default is not None:
            return default
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
        # The converter omits it if every query head has keys of its own.
        key_value_heads=int(number("layer_0/self_attention/num_heads_kv", heads)),
        head_size=int(number("layer_0/self_attention/head_dim")),
        full_attention=tuple(window == 0 for window in windows),
        window=int(number("sliding_window")),
        full_theta=thetas.get(0, 1e6),
        sliding_theta=next((theta for window, theta in thetas.items() if window), 1e4),
    )


def _parameters(variables: Variables, architecture: Architecture) -> dict[str, Parameter]:
    parameters = {
        "model.embed_tokens.weight": _matrix(variables, "decoder/embeddings"),
        "model.norm.weight": Parameter(variables["decoder/layer_norm/gamma"]),
    }
    queries = architecture.heads * architecture.head_size
    keys = architecture.key_value_heads * architecture.head_size
    for layer in range(architecture.layers):
        hf_prefix, ct2_prefix = f"model.layers.{layer}.", f"decoder/layer_{layer}/"
        fused, start = _matrix(variables, f"{ct2_prefix}self_attention/linear_0"), 0
        for name, rows in zip("qkv", (queries, keys, keys), strict=True):
            parameters[f"{hf_prefix}self_attn.{name}_proj.weight"] = fused.rows(start, start + rows)
            start += rows
        parameters |= {f"{hf_prefix}{a}.weight": _matrix(variables, f"{ct2_prefix}{b}") for a, b in _MATRICES.items()}
        parameters |= {
            f"{hf_prefix}{a}.weight": Parameter(variables[f"{ct2_prefix}{b}/gamma"]) for a, b in NORMS.items()
        }
    return parameters


def _matrix(variables: Variables, name: str) -> Parameter:
    return Parameter(variables[f"{name}/weight"], variables.get(f"{name}/weight_scale"))
