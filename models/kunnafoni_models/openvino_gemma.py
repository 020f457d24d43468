"""A Gemma 3 decoder as an OpenVINO model whose memory of what it has read is its state.

The runtime puts its own attention in place of this one when many rows run together, by the shape of the graph: past
keys and values that `beam_idx` picks, joined with the new ones, spread over the query heads, into one attention. It
knows no tokens and no files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import openvino
from openvino import opset15
from openvino.op.util import Variable, VariableInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kunnafoni_models.architecture import Architecture
    from kunnafoni_models.gemma_bin import Parameter

# OpenVINO's own types do not say what its operations take.
_ops: Any = opset15
_variable_info: Any = VariableInfo
_model: Any = openvino.Model
_Node = Any
_RMS_EPSILON = 1e-6
_UNSIGNED_ZERO = 128


def gemma_model(architecture: Architecture, parameters: Mapping[str, Parameter]) -> openvino.Model:
    """Build the model; it copies the parameters. Int8 rows stay as they are, as unsigned bytes about a zero point.

    Layers with a sliding window see everything: rows that may outgrow the window are not for this model.

    Inputs, all of batch x tokens but the last: `input_ids`, `attention_mask` (past tokens too), `position_ids`,
    `beam_idx` (batch). Output: `logits`, batch x tokens x vocabulary.
    """
    return _Decoder(architecture, parameters).model()


class _Decoder:
    def __init__(self, architecture: Architecture, parameters: Mapping[str, Parameter]) -> None:
        self._sizes = architecture
        self._parameters = parameters
        self._states: list[_Node] = []
        self._ids, self._mask, self._positions = (
            _input(name, [-1, -1], np.int64) for name in ("input_ids", "attention_mask", "position_ids")
        )
        self._beams = _input("beam_idx", [-1], np.int32)
        seen = _ops.convert(_ops.unsqueeze(_ops.unsqueeze(self._mask, _ints(1)), _ints(1)), "boolean")
        self._bias = _ops.select(seen, _number(0), _number(float(np.finfo(np.float32).min)))
        full, sliding = self._rotary(architecture.full_theta), self._rotary(architecture.sliding_theta)
        self._rotaries = [full if sees_all else sliding for sees_all in architecture.full_attention]

    def model(self) -> openvino.Model:
        """Put the layers together."""
        table = self._matrix("model.embed_tokens")
        hidden = _ops.gather(table, _ops.convert(self._ids, "i32"), _ops.constant(np.int32(0)))
        hidden = _ops.multiply(hidden, _number(self._sizes.hidden**0.5))
        for layer in range(self._sizes.layers):
            hidden = self._layer(hidden, layer)
        logits = _ops.matmul(self._norm(hidden, "model.norm"), table, transpose_a=False, transpose_b=True)
        logits.output(0).set_names({"logits"})
        inputs = [self._ids, self._mask, self._positions, self._beams]
        return _model([_ops.result(logits)], self._states, inputs, "gemma3")

    def _layer(self, hidden: _Node, layer: int) -> _Node:
        here = f"model.layers.{layer}."
        attended = self._attention(self._norm(hidden, f"{here}input_layernorm"), layer)
        hidden = _ops.add(hidden, self._norm(attended, f"{here}post_attention_layernorm"))
        read = self._norm(hidden, f"{here}pre_feedforward_layernorm")
        gate = _ops.gelu(self._linear(read, f"{here}mlp.gate_proj"), "tanh")
        inner = _ops.multiply(gate, self._linear(read, f"{here}mlp.up_proj"))
        written = self._linear(inner, f"{here}mlp.down_proj")
        return _ops.add(hidden, self._norm(written, f"{here}post_feedforward_layernorm"))

    def _attention(self, hidden: _Node, layer: int) -> _Node:
        here, rotary = f"model.layers.{layer}.self_attn.", self._rotaries[layer]
        queries = self._heads(self._linear(hidden, f"{here}q_proj"), self._sizes.heads)
        keys = self._heads(self._linear(hidden, f"{here}k_proj"), self._sizes.key_value_heads)
        values = self._heads(self._linear(hidden, f"{here}v_proj"), self._sizes.key_value_heads)
        queries = self._rotated(self._norm(queries, f"{here}q_norm"), rotary)
        keys = self._with_past(self._rotated(self._norm(keys, f"{here}k_norm"), rotary), layer, "key")
        values = self._with_past(values, layer, "value")
        scale = _number(self._sizes.head_size**-0.5)
        attended = _ops.scaled_dot_product_attention(
            queries, self._spread(keys), self._spread(values), self._bias, scale
        )
        joined = _ops.reshape(_ops.transpose(attended, _ints(0, 2, 1, 3)), _ints(0, 0, -1), special_zero=True)
        return self._linear(joined, f"{here}o_proj")

    def _heads(self, hidden: _Node, heads: int) -> _Node:
        split = _ops.reshape(hidden, _ints(0, 0, heads, self._sizes.head_size), special_zero=True)
        return _ops.transpose(split, _ints(0, 2, 1, 3))

    def _with_past(self, new: _Node, layer: int, kind: str) -> _Node:
        info = _variable_info()
        info.data_shape = openvino.PartialShape([-1, self._sizes.key_value_heads, -1, self._sizes.head_size])
        info.data_type = openvino.Type.f32
        info.variable_id = f"past_key_values.{layer}.{kind}present.{layer}.{kind}"
        variable = Variable(info)
        batch = _ops.gather(_ops.shape_of(self._ids), _ints(0), _int(0))
        shape = _ops.concat([batch, _ints(self._sizes.key_value_heads, 0, self._sizes.head_size)], 0)
        past = _ops.gather(_ops.read_value(_ops.broadcast(_number(0), shape), variable), self._beams, _int(0))
        both = _ops.concat([past, new], 2)
        self._states.append(_ops.assign(both, variable))
        return both

    def _spread(self, states: _Node) -> _Node:
        """A head of keys or values for each query head."""
        heads, each = self._sizes.key_value_heads, self._sizes.heads // self._sizes.key_value_heads
        shape = _ops.shape_of(states)
        batch, tokens = (_ops.gather(shape, _ints(axis), _int(0)) for axis in (0, 2))
        wide = _ops.concat([batch, _ints(heads, each), tokens, _ints(self._sizes.head_size)], 0)
        copies = _ops.broadcast(_ops.unsqueeze(states, _int(2)), wide, "BIDIRECTIONAL")
        return _ops.reshape(copies, _ints(0, self._sizes.heads, -1, self._sizes.head_size), special_zero=True)

    def _rotary(self, theta: float) -> tuple[_Node, _Node]:
        """Cosines and sines of the positions (Su et al. 2021, RoFormer)."""
        size = self._sizes.head_size
        frequencies = theta ** (-np.arange(0, size, 2, dtype=np.float32) / size)
        positions = _ops.convert(_ops.unsqueeze(self._positions, _ints(-1)), "f32")
        half = _ops.multiply(positions, _ops.constant(frequencies.reshape(1, 1, -1)))
        angles = _ops.unsqueeze(_ops.concat([half, half], -1), _ints(1))
        return _ops.cos(angles), _ops.sin(angles)

    def _rotated(self, heads: _Node, rotary: tuple[_Node, _Node]) -> _Node:
        half, size = self._sizes.head_size // 2, self._sizes.head_size
        first = _ops.slice(heads, _ints(0), _ints(half), _ints(1), _ints(3))
        second = _ops.slice(heads, _ints(half), _ints(size), _ints(1), _ints(3))
        turned = _ops.concat([_ops.multiply(second, _number(-1)), first], -1)
        return _ops.add(_ops.multiply(heads, rotary[0]), _ops.multiply(turned, rotary[1]))

    def _norm(self, hidden: _Node, name: str) -> _Node:
        """Root mean square (Zhang and Sennrich 2019); Gemma's weights are what is added to 1."""
        mean = _ops.reduce_mean(_ops.power(hidden, _number(2)), _ints(-1), keep_dims=True)
        factor = _ops.divide(_number(1), _ops.sqrt(_ops.add(mean, _number(_RMS_EPSILON))))
        weight = 1 + _floats(self._parameters[f"{name}.weight"].values)
        return _ops.multiply(_ops.multiply(hidden, factor), _ops.constant(weight))

    def _linear(self, hidden: _Node, name: str) -> _Node:
        return _ops.matmul(hidden, self._matrix(name), transpose_a=False, transpose_b=True)

    def _matrix(self, name: str) -> _Node:
        parameter = self._parameters[f"{name}.weight"]
        if parameter.scale is None:
            return _ops.constant(_floats(parameter.values))
        values = parameter.values.view(np.uint8) ^ np.uint8(_UNSIGNED_ZERO)
        zeros = np.full((len(values), 1), _UNSIGNED_ZERO, np.uint8)
        integers = _ops.subtract(*(_ops.convert(_ops.constant(each), "f32") for each in (values, zeros)))
        return _ops.multiply(integers, _ops.constant(1 / parameter.scale.astype(np.float32).reshape(-1, 1)))


def _input(name: str, shape: list[int], kind: type[np.integer[Any]]) -> _Node:
    node = _ops.parameter(openvino.PartialShape(shape), kind, name=name)
    node.output(0).set_names({name})
    return node


def _floats(values: Any) -> Any:
    if values.dtype == np.uint16:  # bfloat16
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)


def _number(value: float) -> _Node:
    return _ops.constant(np.float32(value))


def _int(value: int) -> _Node:
    return _ops.constant(np.int64(value))


def _ints(*values: int) -> _Node:
    return _ops.constant(np.array(values, np.int64))
