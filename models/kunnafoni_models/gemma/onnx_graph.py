"""A Gemma 3 decoder as an ONNX model, with the operators that ONNX Runtime has for such models.

Products of int8 are sums of whole numbers, each token rounded by itself, and attention runs row by row: in int8 no row
depends on what runs beside it. It knows no tokens, no files and no sessions.
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
_HEAD_STEP = 16  # the runtime's attention takes no other sizes
_RMS_EPSILON = 1e-6
# Processors multiply unsigned by signed bytes, so tokens are rounded to bytes about this zero; to signed ones it takes
# ten times as long.
_ZERO = 128
_LARGEST, _SMALLEST_SCALE = 127, 1e-12


def build_onnx_graph(
    architecture: Architecture, parameters: Mapping[str, Parameter], *, positions: int, int8: bool
) -> tuple[bytes, Constants]:
    """Build the model.

    Inputs: `ids` (the tokens of all rows, one row after the other, each as long as the longest), `shape` (2; rows and
    tokens of a row), `seen` (rows; tokens that a row has read after this run, less one), `most_seen` (the greatest of
    `seen`, plus one), `last` (rows; places in `ids` whose followers are asked for); and of each layer `keys_<n>` and
    `values_<n>` (rows x heads x `positions` x size), whose memory is that of the outputs `new_keys_<n>` and
    `new_values_<n>` as well. Outputs: `scores` (rows x vocabulary) and `factors` (rows x 1), whose product are the
    logits.

    Args:
        architecture: Sizes.
        parameters: As `read_decoder` gives them.
        positions: Most tokens of a row.
        int8: Multiply matrices of int8 as such; otherwise all are of float32.

    Returns:
        The model in ONNX's format, and by name the constants that it takes as external data.

    Raises:
        ArchitectureError: The runtime has no attention for heads of this size, or a matrix is not of int8.
    """
    graph = _Graph(architecture, parameters, positions=positions, int8=int8)
    return graph.model(), graph.constants


@dataclass(frozen=True, slots=True)
class _Rounded:
    """Tokens x width as bytes, and what each token is to be multiplied by: tokens x 1."""

    numbers: str
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
        if architecture.head_size % _HEAD_STEP:
            raise ArchitectureError(f"its heads are {architecture.head_size} wide, no multiple of {_HEAD_STEP}")
        if int8 and any(each.scale is None for each in parameters.values() if each.values.ndim > 1):
            raise ArchitectureError("its weights are not of int8: set compute_type to float32")
        self._nodes: list[bytes] = []
        self._inline: dict[str, bytes] = {}

    def model(self) -> bytes:
        """Put the layers together."""
        sizes = self._sizes
        for kind, theta in (("full", sizes.full_theta), ("sliding", sizes.sliding_theta)):
            self._add_rotary(kind, theta)
        hidden = self._embedded()
        for layer in range(sizes.layers):
            hidden = self._layer(hidden, layer)
        hidden = self._node("Gather", [hidden, "last"], "last_hidden")
        read = self._rounded(self._norm(hidden, "model.norm"))
        self._product(read, _EMBEDDING, output="scores", scaled=False)
        self._node("Identity", [read.scale or self._ones("last")], "factors")
        caches = ["rows", sizes.key_value_heads, self._positions, sizes.head_size]
        kept = [f"{kind}_{layer}" for layer in range(sizes.layers) for kind in ("keys", "values")]
        inputs = [
            onnx_writer.value_info("ids", ElementType.INT64, ["tokens"]),
            onnx_writer.value_info("shape", ElementType.INT64, [2]),
            onnx_writer.value_info("seen", ElementType.INT32, ["rows"]),
            onnx_writer.value_info("most_seen", ElementType.INT32, []),
            onnx_writer.value_info("last", ElementType.INT64, ["rows"]),
            *(onnx_writer.value_info(name, ElementType.FLOAT, caches) for name in kept),
        ]
        outputs = [
            onnx_writer.value_info("scores", ElementType.FLOAT, ["rows", sizes.vocabulary]),
            onnx_writer.value_info("factors", ElementType.FLOAT, ["rows", 1]),
            *(onnx_writer.value_info(f"new_{name}", ElementType.FLOAT, caches) for name in kept),
        ]
        external = (onnx_writer.external_tensor(*each) for each in self.constants.items())
        return onnx_writer.model(
            "gemma3",
            nodes=self._nodes,
            inputs=inputs,
            outputs=outputs,
            constants=[*self._inline.values(), *external],
            operator_sets={"": _OPSET, _RUNTIME: 1},
        )

    def _embedded(self) -> str:
        table = self._parameters[f"{_EMBEDDING}.weight"]
        factor = np.float32(self._sizes.hidden**0.5)
        if table.scale is None:
            return self._node("Gather", [self._constant("table", table.floats() * factor), "ids"], "hidden")
        rows = self._node("Gather", [self._constant("table", table.values.copy()), "ids"], "embedded")
        scales = self._constant("table_scales", factor / table.scale[:, None])
        numbers = self._node("Cast", [rows], "embedded_floats", to=ElementType.FLOAT)
        return self._node("Mul", [numbers, self._node("Gather", [scales, "ids"], "embedded_scales")], "hidden")

    def _layer(self, hidden: str, layer: int) -> str:
        here = f"model.layers.{layer}."
        attended = self._attention(self._norm(hidden, f"{here}input_layernorm"), layer)
        attended = self._norm(attended, f"{here}post_attention_layernorm")
        hidden = self._node("Add", [hidden, attended], f"{here}hidden")
        read = self._rounded(self._norm(hidden, f"{here}pre_feedforward_layernorm"))
        gate, up = (self._product(read, f"{here}mlp.{name}_proj") for name in ("gate", "up"))
        gate = self._node("FastGelu", [gate], f"{here}gelu", domain=_RUNTIME)
        inner = self._rounded(self._node("Mul", [gate, up], f"{here}inner"))
        written = self._norm(self._product(inner, f"{here}mlp.down_proj"), f"{here}post_feedforward_layernorm")
        return self._node("Add", [hidden, written], f"{here}output")

    def _attention(self, hidden: str, layer: int) -> str:
        here, sizes = f"model.layers.{layer}.self_attn.", self._sizes
        sees_all = sizes.full_attention[layer]
        rotary = "full" if sees_all else "sliding"
        read = self._rounded(hidden)
        queries, keys, values = (self._product(read, f"{here}{name}_proj") for name in "qkv")
        kept = [f"keys_{layer}", f"values_{layer}"]
        attended = self._node(
            "GroupQueryAttention",
            [
                self._in_rows(self._normed_heads(queries, f"{here}q_norm")),
                self._in_rows(self._normed_heads(keys, f"{here}k_norm")),
                self._in_rows(values),
                *kept,
                *("seen", "most_seen"),
                *(f"cosines_{rotary}", f"sines_{rotary}"),
            ],
            f"{here}attended",
            *(f"new_{each}" for each in kept),
            domain=_RUNTIME,
            num_heads=sizes.heads,
            kv_num_heads=sizes.key_value_heads,
            do_rotary=1,
            scale=sizes.head_size**-0.5,
            local_window_size=-1 if sees_all else sizes.window,
        )
        tokens = self._node("Reshape", [attended, self._integers(-1, sizes.heads * sizes.head_size)], f"{here}tokens")
        return self._product(self._rounded(tokens), f"{here}o_proj")

    def _normed_heads(self, states: str, norm: str) -> str:
        heads = self._node("Reshape", [states, self._integers(-1, self._sizes.head_size)], f"{states}.heads")
        return self._norm(heads, norm)

    def _in_rows(self, states: str) -> str:
        """Tokens x width, or their heads, to rows x tokens x width."""
        shape = self._node("Concat", ["shape", self._integers(-1)], f"{states}.shape", axis=0)
        return self._node("Reshape", [states, shape], f"{states}.rows")

    def _add_rotary(self, kind: str, theta: float) -> None:
        """Cosines and sines of the positions (Su et al. 2021, RoFormer)."""
        size = self._sizes.head_size
        angles = np.arange(self._positions)[:, None] * theta ** (-np.arange(0, size, 2) / size)
        self._constant(f"cosines_{kind}", np.cos(angles).astype(np.float32))
        self._constant(f"sines_{kind}", np.sin(angles).astype(np.float32))

    def _norm(self, states: str, name: str) -> str:
        """Root mean square (Zhang and Sennrich 2019); Gemma's weights are what is added to 1."""
        weight = self._constant(f"{name}.weight", 1 + self._parameters[f"{name}.weight"].floats())
        return self._node("SimplifiedLayerNormalization", [states, weight], name, axis=-1, epsilon=_RMS_EPSILON)

    def _rounded(self, states: str) -> _Rounded:
        """Each token by its own largest number; as it is, where nothing is multiplied as int8."""
        if not self._int8:
            return _Rounded(states, "")
        largest = self._node("Abs", [states], f"{states}.abs")
        largest = self._node("ReduceMax", [largest, self._integers(-1)], f"{states}.largest")
        scale = self._node("Mul", [largest, self._number(1 / _LARGEST)], f"{states}.step")
        scale = self._node("Max", [scale, self._number(_SMALLEST_SCALE)], f"{states}.scale")
        each = self._node("Reshape", [scale, self._integers(-1)], f"{states}.scales")
        zeros = self._node("Expand", [self._zero(), self._node("Shape", [each], f"{states}.n")], f"{states}.zeros")
        return _Rounded(self._node("QuantizeLinear", [states, each, zeros], f"{states}.bytes", axis=0), scale)

    def _product(self, states: _Rounded, name: str, *, output: str = "", scaled: bool = True) -> str:
        """With the transpose of a matrix, which has a row for each output."""
        output = output or f"{name}.product"
        parameter = self._parameters[f"{name}.weight"]
        if parameter.scale is None or not self._int8:
            return self._node("MatMul", [states.numbers, self._transpose(name, parameter.floats())], output)
        scales = self._constant(f"{name}.scales", 1 / parameter.scale)
        inputs = [states.numbers, self._transpose(name, parameter.values), self._number(1), scales, self._zero()]
        unscaled = f"{output}.unscaled" if scaled else output
        self._node("MatMulIntegerToFloat", inputs, unscaled, domain=_RUNTIME)
        return self._node("Mul", [unscaled, states.scale], output) if scaled else output

    def _transpose(self, name: str, values: NDArray[Any]) -> str:
        return self._constant(f"{name}.transpose", np.ascontiguousarray(values.T))

    def _ones(self, like: str) -> str:
        """As many as there are numbers in a list, one below the other."""
        shape = [self._node("Shape", [like], f"{like}.shape"), self._integers(1)]
        return self._node("Expand", [self._number(1), self._node("Concat", shape, "ones.shape", axis=0)], "ones")

    def _zero(self) -> str:
        return self._written("zero", np.array(_ZERO, np.uint8))

    def _number(self, value: float) -> str:
        return self._written(f"number_{value}", np.array(value, np.float32))

    def _integers(self, *values: int) -> str:
        return self._written(f"integers_{values}", np.array(values, np.int64))

    def _written(self, name: str, values: NDArray[Any]) -> str:
        """A constant in the model itself, which the runtime knows while it reads it."""
        self._inline[name] = onnx_writer.tensor(name, values)
        return name

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self.constants[name] = values
        return name

    def _node(
        self, kind: str, inputs: list[str], output: str, *more: str, domain: str = "", **attributes: float
    ) -> str:
        self._nodes.append(onnx_writer.node(kind, inputs, [output, *more], domain=domain, **attributes))
        return output
