"""A Gemma 3 decoder as an ONNX model, with the operators that ONNX Runtime has for such models.

Products of int8 are sums of integers, each token is quantised by itself, and attention runs sequence by sequence: in
int8 no sequence depends on the others of its batch. The module knows no tokens, no files and no sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kunnafoni_models.gemma import onnx_writer
from kunnafoni_models.gemma.architecture import Architecture, ArchitectureError
from kunnafoni_models.gemma.onnx_writer import ElementType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kunnafoni_models.gemma.model_bin import Parameter

Constants = dict[str, NDArray[Any]]

_OPSET = 21
_RUNTIME = "com.microsoft"
_EMBEDDING = "model.embed_tokens"
_HEAD_SIZE_MULTIPLE = 16  # the runtime's attention takes no other sizes
_RMS_EPSILON = 1e-6
# Zero point of quantised tokens. Processors multiply unsigned by signed bytes; with signed bytes on both sides a
# product takes ten times as long.
_ZERO_POINT = 128
_LARGEST, _SMALLEST_SCALE = 127, 1e-12


def build_onnx_graph(
    architecture: Architecture, parameters: Mapping[str, Parameter], *, positions: int, int8: bool
) -> tuple[bytes, Constants]:
    """Build the model.

    Inputs: `token_ids` (of all sequences, one sequence after the other, padded to the longest), `shape` (2; sequences
        and
    tokens per sequence), `seqlens_k` (sequences; tokens in the KV cache after this run, less one),
    `total_sequence_length` (the greatest of `seqlens_k`, plus one), `last` (sequences; index in `token_ids` of each
    sequence's last token); and `past_keys_<n>` and `past_values_<n>` of each layer (sequences x heads x `positions` x
    size), whose memory the outputs `present_keys_<n>` and `present_values_<n>` share. Outputs: `scores` (sequences x
    vocabulary) and `factors` (sequences x 1), whose products are the logits of the next token.

    Args:
        architecture: Sizes.
        parameters: As `read_decoder` returns them.
        positions: Most tokens of a sequence.
        int8: Multiply int8 matrices as such; otherwise everything is float32.

    Returns:
        The model in ONNX's format, and the constants by name that it takes as external data.

    Raises:
        ArchitectureError: The runtime has no attention for heads of this size, or a matrix is not int8.
    """
    graph = _Graph(architecture, parameters, positions=positions, int8=int8)
    return graph.model(), graph.constants


@dataclass(frozen=True, slots=True)
class _Quantised:
    """Names of the values of quantised tokens.

    Attributes:
        values: Tokens x width as bytes, or as floats where nothing is quantised.
        scale: Factor of each token, tokens x 1; empty where nothing is quantised.
    """

    values: str
    scale: str


class _Graph:
    def __init__(
        self, architecture: Architecture, parameters: Mapping[str, Parameter], *, positions: int, int8: bool
    ) -> None:
        self.constants: Constants = {}
        self._sizes = architecture
        self._parameters = parameters
        self._positions = positions
        self._int8 = int8
        if architecture.head_size % _HEAD_SIZE_MULTIPLE:
            raise ArchitectureError(
                f"its heads are {architecture.head_size} wide, no multiple of {_HEAD_SIZE_MULTIPLE}"
            )
        if int8 and any(parameter.scale is None for parameter in parameters.values() if parameter.values.ndim > 1):
            raise ArchitectureError("its weights are not of int8: set compute_type to float32")
        self._nodes: list[bytes] = []
        self._inline: dict[str, bytes] = {}

    def model(self) -> bytes:
        """Put the layers together."""
        sizes = self._sizes
        for attention, theta in (("full", sizes.full_theta), ("sliding", sizes.sliding_theta)):
            self._add_rotary(attention, theta)
        hidden = self._embedding()
        for layer in range(sizes.layers):
            hidden = self._layer(hidden, layer)
        hidden = self._node("Gather", [hidden, "last"], "last_hidden")
        quantised = self._quantise(self._norm(hidden, "model.norm"))
        self._product(quantised, _EMBEDDING, output="scores", scaled=False)
        self._node("Identity", [quantised.scale or self._ones("last")], "factors")
        cache_shape = ["sequences", sizes.key_value_heads, self._positions, sizes.head_size]
        caches = [f"{name}_{layer}" for layer in range(sizes.layers) for name in ("keys", "values")]
        inputs = [
            onnx_writer.value_info("token_ids", ElementType.INT64, ["tokens"]),
            onnx_writer.value_info("shape", ElementType.INT64, [2]),
            onnx_writer.value_info("seqlens_k", ElementType.INT32, ["sequences"]),
            onnx_writer.value_info("total_sequence_length", ElementType.INT32, []),
            onnx_writer.value_info("last", ElementType.INT64, ["sequences"]),
            *(onnx_writer.value_info(f"past_{name}", ElementType.FLOAT, cache_shape) for name in caches),
        ]
        outputs = [
            onnx_writer.value_info("scores", ElementType.FLOAT, ["sequences", sizes.vocabulary]),
            onnx_writer.value_info("factors", ElementType.FLOAT, ["sequences", 1]),
            *(onnx_writer.value_info(f"present_{name}", ElementType.FLOAT, cache_shape) for name in caches),
        ]
        external = (onnx_writer.external_tensor(name, values) for name, values in self.constants.items())
        return onnx_writer.model(
            "gemma3",
            nodes=self._nodes,
            inputs=inputs,
            outputs=outputs,
            constants=[*self._inline.values(), *external],
            operator_sets={"": _OPSET, _RUNTIME: 1},
        )

    def _embedding(self) -> str:
        table = self._parameters[f"{_EMBEDDING}.weight"]
        factor = np.float32(self._sizes.hidden**0.5)
        if table.scale is None:
            return self._node("Gather", [self._constant("table", table.floats() * factor), "token_ids"], "hidden")
        integers = self._node("Gather", [self._constant("table", table.values.copy()), "token_ids"], "embedded")
        scales = self._constant("table_scales", factor / table.scale[:, None])
        floats = self._node("Cast", [integers], "embedded_floats", to=ElementType.FLOAT)
        return self._node("Mul", [floats, self._node("Gather", [scales, "token_ids"], "embedded_scales")], "hidden")

    def _layer(self, hidden: str, layer: int) -> str:
        prefix = f"model.layers.{layer}."
        attended = self._attention(self._norm(hidden, f"{prefix}input_layernorm"), layer)
        attended = self._norm(attended, f"{prefix}post_attention_layernorm")
        hidden = self._node("Add", [hidden, attended], f"{prefix}hidden")
        states = self._quantise(self._norm(hidden, f"{prefix}pre_feedforward_layernorm"))
        gate, up = (self._product(states, f"{prefix}mlp.{name}_proj") for name in ("gate", "up"))
        gate = self._node("FastGelu", [gate], f"{prefix}gelu", domain=_RUNTIME)
        inner = self._quantise(self._node("Mul", [gate, up], f"{prefix}inner"))
        written = self._norm(self._product(inner, f"{prefix}mlp.down_proj"), f"{prefix}post_feedforward_layernorm")
        return self._node("Add", [hidden, written], f"{prefix}output")

    def _attention(self, hidden: str, layer: int) -> str:
        prefix, sizes = f"model.layers.{layer}.self_attn.", self._sizes
        full_attention = sizes.full_attention[layer]
        rotary = "full" if full_attention else "sliding"
        states = self._quantise(hidden)
        queries, keys, values = (self._product(states, f"{prefix}{name}_proj") for name in "qkv")
        caches = [f"keys_{layer}", f"values_{layer}"]
        attended = self._node(
            "GroupQueryAttention",
            [
                self._by_sequence(self._normed_heads(queries, f"{prefix}q_norm")),
                self._by_sequence(self._normed_heads(keys, f"{prefix}k_norm")),
                self._by_sequence(values),
                *(f"past_{name}" for name in caches),
                *("seqlens_k", "total_sequence_length"),
                *(f"cosines_{rotary}", f"sines_{rotary}"),
            ],
            f"{prefix}attended",
            *(f"present_{name}" for name in caches),
            domain=_RUNTIME,
            num_heads=sizes.heads,
            kv_num_heads=sizes.key_value_heads,
            do_rotary=1,
            scale=sizes.head_size**-0.5,
            local_window_size=-1 if full_attention else sizes.window,
        )
        tokens = self._node("Reshape", [attended, self._integers(-1, sizes.heads * sizes.head_size)], f"{prefix}tokens")
        return self._product(self._quantise(tokens), f"{prefix}o_proj")

    def _normed_heads(self, states: str, norm: str) -> str:
        heads = self._node("Reshape", [states, self._integers(-1, self._sizes.head_size)], f"{states}.heads")
        return self._norm(heads, norm)

    def _by_sequence(self, states: str) -> str:
        """Reshape tokens x width, or their heads, to sequences x tokens x width."""
        shape = self._node("Concat", ["shape", self._integers(-1)], f"{states}.shape", axis=0)
        return self._node("Reshape", [states, shape], f"{states}.by_sequence")

    def _add_rotary(self, attention: str, theta: float) -> None:
        """Cosines and sines of the positions (Su et al. 2021, RoFormer)."""
        size = self._sizes.head_size
        angles = np.arange(self._positions)[:, None] * theta ** (-np.arange(0, size, 2) / size)
        self._constant(f"cosines_{attention}", np.cos(angles).astype(np.float32))
        self._constant(f"sines_{attention}", np.sin(angles).astype(np.float32))

    def _norm(self, states: str, name: str) -> str:
        """Normalise by the root mean square (Zhang and Sennrich 2019); Gemma's weights are offsets from 1."""
        weight = self._constant(f"{name}.weight", 1 + self._parameters[f"{name}.weight"].floats())
        return self._node("SimplifiedLayerNormalization", [states, weight], name, axis=-1, epsilon=_RMS_EPSILON)

    def _quantise(self, states: str) -> _Quantised:
        """Quantise each token by its own largest value; leave it as it is where nothing is multiplied as int8."""
        if not self._int8:
            return _Quantised(states, scale="")
        largest = self._node("Abs", [states], f"{states}.abs")
        largest = self._node("ReduceMax", [largest, self._integers(-1)], f"{states}.largest")
        scale = self._node("Mul", [largest, self._number(1 / _LARGEST)], f"{states}.step")
        scale = self._node("Max", [scale, self._number(_SMALLEST_SCALE)], f"{states}.scale")
        scales = self._node("Reshape", [scale, self._integers(-1)], f"{states}.scales")
        shape = self._node("Shape", [scales], f"{states}.n")
        zeros = self._node("Expand", [self._zero_point(), shape], f"{states}.zeros")
        return _Quantised(self._node("QuantizeLinear", [states, scales, zeros], f"{states}.bytes", axis=0), scale)

    def _product(self, states: _Quantised, name: str, *, output: str = "", scaled: bool = True) -> str:
        """Multiply by the transpose of a matrix, which has one row per output."""
        output = output or f"{name}.product"
        parameter = self._parameters[f"{name}.weight"]
        if parameter.scale is None or not self._int8:
            return self._node("MatMul", [states.values, self._transpose(name, parameter.floats())], output)
        scales = self._constant(f"{name}.scales", 1 / parameter.scale)
        inputs = [states.values, self._transpose(name, parameter.values), self._number(1), scales, self._zero_point()]
        unscaled = f"{output}.unscaled" if scaled else output
        self._node("MatMulIntegerToFloat", inputs, unscaled, domain=_RUNTIME)
        return self._node("Mul", [unscaled, states.scale], output) if scaled else output

    def _transpose(self, name: str, values: NDArray[Any]) -> str:
        return self._constant(f"{name}.transpose", np.ascontiguousarray(values.T))

    def _ones(self, like: str) -> str:
        """A column of ones, as long as the list `like`."""
        shape = [self._node("Shape", [like], f"{like}.shape"), self._integers(1)]
        return self._node("Expand", [self._number(1), self._node("Concat", shape, "ones.shape", axis=0)], "ones")

    def _zero_point(self) -> str:
        return self._inline_constant("zero", np.array(_ZERO_POINT, np.uint8))

    def _number(self, value: float) -> str:
        return self._inline_constant(f"number_{value}", np.array(value, np.float32))

    def _integers(self, *values: int) -> str:
        return self._inline_constant(f"integers_{values}", np.array(values, np.int64))

    def _inline_constant(self, name: str, values: NDArray[Any]) -> str:
        """A constant inside the model itself, which the runtime knows when it optimises the graph."""
        self._inline[name] = onnx_writer.tensor(name, values)
        return name

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants[name] = values
        return name

    def _node(
        self, operator: str, inputs: list[str], output: str, *more: str, domain: str = "", **attributes: float
    ) -> str:
        self._nodes.append(onnx_writer.node(operator, inputs, [output, *more], domain=domain, **attributes))
        return output
