"""Writes ONNX models as bytes: nodes, tensors and graphs in the wire format of protocol buffers.

It has what `build_onnx_graph` needs of `onnx.proto` (ONNX IR version 10, whose field numbers these are), so that a
server needs no package `onnx`, which takes 31 MB. It knows no operators; ONNX Runtime checks what they are given.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

_IR_VERSION = 10
_VARINT, _LENGTH_DELIMITED, _FIXED32 = 0, 2, 5  # wire types of protocol buffers
_EXTERNAL = 1


class ElementType(IntEnum):
    """`TensorProto.DataType`."""

    FLOAT = 1
    UINT8 = 2
    INT8 = 3
    INT32 = 6
    INT64 = 7


_ELEMENT_TYPES = {
    np.dtype(np.float32): ElementType.FLOAT,
    np.dtype(np.uint8): ElementType.UINT8,
    np.dtype(np.int8): ElementType.INT8,
    np.dtype(np.int32): ElementType.INT32,
    np.dtype(np.int64): ElementType.INT64,
}


def node(
    operator: str, inputs: Iterable[str], outputs: Iterable[str], *, domain: str = "", **attributes: float
) -> bytes:
    """A `NodeProto`: one operator between named values.

    Args:
        operator: Its name in the operator set.
        inputs: Names of the values that it reads, in the operator's order.
        outputs: Names of the values that it makes, likewise.
        domain: Of the operator set; empty for ONNX's own.
        attributes: Whole numbers become integers, others 32-bit floats.
    """
    return b"".join(
        (
            *(_text(1, name) for name in inputs),
            *(_text(2, name) for name in outputs),
            _text(4, operator),
            *(_delimited(5, _attribute(name, value)) for name, value in attributes.items()),
            _text(7, domain) if domain else b"",
        )
    )


def tensor(name: str, values: NDArray[Any]) -> bytes:
    """A `TensorProto` that holds its values."""
    little_endian = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return _tensor_head(name, values) + _delimited(9, little_endian.tobytes())


def external_tensor(name: str, values: NDArray[Any]) -> bytes:
    """A `TensorProto` whose values the session is given by name, see `SessionOptions.add_external_initializers`."""
    # A location is compulsory, and nothing is read from it.
    location = _text(1, "location") + _text(2, "memory")
    return _tensor_head(name, values) + _delimited(13, location) + _integer(14, _EXTERNAL)


def value_info(name: str, element_type: ElementType, shape: Iterable[int | str]) -> bytes:
    """A `ValueInfoProto`: an input or output of a graph; names in `shape` stand for sizes that vary from run to run."""
    sizes = (_text(2, size) if isinstance(size, str) else _integer(1, size) for size in shape)
    dimensions = b"".join(_delimited(1, size) for size in sizes)
    tensor_type = _integer(1, element_type) + _delimited(2, dimensions)
    return _text(1, name) + _delimited(2, _delimited(1, tensor_type))


def model(
    name: str,
    *,
    nodes: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    constants: Sequence[bytes],
    operator_sets: dict[str, int],
) -> bytes:
    """A `ModelProto` with one graph.

    Args:
        name: Of the graph.
        nodes: As `node` returns them, each after those whose values it reads.
        inputs: As `value_info` returns them.
        outputs: Likewise.
        constants: As `tensor` and `external_tensor` return them.
        operator_sets: Version by domain.
    """
    graph = b"".join(
        (
            *(_delimited(1, node_proto) for node_proto in nodes),
            _text(2, name),
            *(_delimited(5, constant) for constant in constants),
            *(_delimited(11, value) for value in inputs),
            *(_delimited(12, value) for value in outputs),
        )
    )
    sets = (_text(1, domain) + _integer(2, version) for domain, version in operator_sets.items())
    return b"".join(
        (_integer(1, _IR_VERSION), _delimited(7, graph), *(_delimited(8, operator_set) for operator_set in sets))
    )


def _tensor_head(name: str, values: NDArray[Any]) -> bytes:
    sizes = b"".join(_integer(1, size) for size in values.shape)
    return sizes + _integer(2, _ELEMENT_TYPES[values.dtype]) + _text(8, name)


def _attribute(name: str, value: float) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _integer(3, value) + _integer(20, 2)
    return _text(1, name) + _tag(2, _FIXED32) + struct.pack("<f", value) + _integer(20, 1)


def _tag(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint(value: int) -> bytes:
    value &= 2**64 - 1  # negative numbers as their two's complement
    written = bytearray()
    while higher := value >> 7:
        written.append(value & 0x7F | 0x80)
        value = higher
    written.append(value)
    return bytes(written)


def _integer(field: int, value: int) -> bytes:
    return _tag(field, _VARINT) + _varint(value)


def _delimited(field: int, content: bytes) -> bytes:
    return _tag(field, _LENGTH_DELIMITED) + _varint(len(content)) + content


def _text(field: int, content: str) -> bytes:
    return _delimited(field, content.encode())
