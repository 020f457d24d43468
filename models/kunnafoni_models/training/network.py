"""The forward pass of a Gemma 3 decoder, laid out so that its gradients are cheap on a processor.

Slices and concatenations have slow gradients, so queries and keys are kept as the two halves that rotary positions
pair, and gate and up apart. Products are in the compute type, everything between them and the residual stream in
float32. It is written from the architecture's report (Gemma Team 2025) and gives transformers' logits; it does not know
losses, optimisers or where parameters come from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - as everywhere with torch

from kunnafoni_models.training.typed_torch import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from kunnafoni_models.gemma.architecture import Architecture

_EPSILON = 1e-6
# Added to scores of what a token must not see; its exponential is 0 in every format.
_UNSEEN = -1e4


class Matrix(NamedTuple):
    """Weights [out, in] in the compute type.

    Where only a change of low rank is trained, `left` [out, rank] and `right` [rank, in] are its factors: what they
    make is in `whole` already, they but collect the gradients. Then none is computed for `whole`, a third of the work.
    """

    whole: Tensor
    left: Tensor | None = None
    right: Tensor | None = None


class LayerWeights(NamedTuple):
    """One layer: matrices in the compute type, norms in float32.

    `query_1` and `key_1` give the first half of every head, `query_2` and `key_2` the second; so do the norms.
    """

    input_norm: Tensor
    query_1: Matrix
    query_2: Matrix
    key_1: Matrix
    key_2: Matrix
    value: Matrix
    query_norm_1: Tensor
    query_norm_2: Tensor
    key_norm_1: Tensor
    key_norm_2: Tensor
    output: Matrix
    attended_norm: Tensor
    feed_forward_norm: Tensor
    gate: Matrix
    up: Matrix
    down: Matrix
    fed_forward_norm: Tensor


class Sight(NamedTuple):
    """What the layers of one kind know of positions.

    `cosines` and `sines` are [1, length, 1, head_size / 2]; `mask` is [1, length * queries a key, length], 0 for what a
    token sees.
    """

    cosines: Tensor
    sines: Tensor
    mask: Tensor


class DropoutMasks(NamedTuple):
    """Of one layer: what its two contributions to the residual stream are multiplied with.

    Both are [rows, length, hidden], 0 where a number is dropped, elsewhere larger than 1 so that the mean stays.
    """

    attended: Tensor
    fed_forward: Tensor


class Network:
    """The layers between the embedding and the head.

    Args:
        architecture: Sizes.
        longest: Most tokens of a row.
        device: Of all tensors.
        compile: Compile the layer once for all shapes.
    """

    def __init__(self, architecture: Architecture, *, longest: int, device: torch.device, compile: bool) -> None:  # noqa: A002
        self._architecture = architecture
        self._embedding_scale = float(architecture.hidden) ** 0.5
        self._full = _sight(architecture, longest, device, full=True)
        self._sliding = _sight(architecture, longest, device, full=False)
        self._layer = compiled(_layer, wanted=compile)

    def embed(self, tokens: Tensor, embedding: Tensor) -> Tensor:
        """What the first layer reads for `tokens` [rows, length]: float32 [rows, length, hidden]."""
        return F.embedding(tokens, embedding).float() * self._embedding_scale

    def embedding_gradient(self, gradient: Tensor, tokens: Tensor, into: Tensor) -> None:
        """Add to `into` [vocabulary, hidden] what the gradient of `embed`'s answer gives for the embedding."""
        flat = gradient.reshape(-1, gradient.shape[-1]) * self._embedding_scale
        into.index_add_(0, tokens.reshape(-1), flat)

    def run(
        self,
        embedded: Tensor,
        layers: Sequence[LayerWeights],
        *,
        dropout: float,
        draw: torch.Generator,
    ) -> Tensor:
        """Residual stream after the last layer, before the last norm: float32, the shape of `embedded`.

        Args:
            embedded: From `embed`.
            layers: First to last.
            dropout: Share of what each layer adds to the stream that is dropped, drawn from `draw`.
            draw: On the device of `embedded`.
        """
        sizes = self._architecture
        length = embedded.shape[1]
        group = sizes.heads // sizes.key_value_heads
        full, sliding = (
            Sight(
                whole.cosines[:, :length],
                whole.sines[:, :length],
                whole.mask[:, : length * group, :length].contiguous(),
            )
            for whole in (self._full, self._sliding)
        )
        stream = embedded
        for weights, sees_all in zip(layers, sizes.full_attention, strict=True):
            masks = DropoutMasks(*(_dropout_mask(stream, dropout, draw) for _ in range(2))) if dropout else None
            stream = self._layer(stream, weights, full if sees_all else sliding, masks)
        return stream


def rms_norm(values: Tensor, weight: Tensor) -> Tensor:
    """Gemma's norm over the last dimension, in float32; a weight of 0 scales by 1."""
    values = values.float()
    return values * torch.rsqrt(values.pow(2).mean(-1, keepdim=True) + _EPSILON) * (1.0 + weight)


def _layer(stream: Tensor, weights: LayerWeights, sight: Sight, masks: DropoutMasks | None) -> Tensor:
    dtype = weights.value.whole.dtype
    attended = rms_norm(
        _attention(rms_norm(stream, weights.input_norm).to(dtype), weights, sight), weights.attended_norm
    )
    stream = stream + (attended * masks.attended if masks else attended)
    read = rms_norm(stream, weights.feed_forward_norm).to(dtype)
    gated = F.gelu(_product(read, weights.gate), approximate="tanh") * _product(read, weights.up)
    fed_forward = rms_norm(_product(gated, weights.down), weights.fed_forward_norm)
    return stream + (fed_forward * masks.fed_forward if masks else fed_forward)


def _dropout_mask(like: Tensor, dropout: float, draw: torch.Generator) -> Tensor:
    room = torch.empty(like.shape, dtype=torch.bfloat16, device=like.device)
    return room.bernoulli_(1 - dropout, generator=draw).div_(1 - dropout)


def _attention(read: Tensor, weights: LayerWeights, sight: Sight) -> Tensor:
    rows, length, _ = read.shape
    half = weights.query_norm_1.shape[0]
    key_heads = weights.key_1.whole.shape[0] // half
    group = weights.query_1.whole.shape[0] // weights.key_1.whole.shape[0]
    # With one key head, as the embedded model has, none of the transpositions below moves anything.
    queries = _turned(
        _product(read, weights.query_1).reshape(rows, length, key_heads * group, half),
        _product(read, weights.query_2).reshape(rows, length, key_heads * group, half),
        (weights.query_norm_1, weights.query_norm_2),
        sight,
    )
    query_1, query_2 = (
        each.reshape(rows, length, key_heads, group * half)
        .transpose(1, 2)
        .reshape(rows * key_heads, length * group, half)
        for each in queries
    )
    keys = _turned(
        _product(read, weights.key_1).reshape(rows, length, key_heads, half),
        _product(read, weights.key_2).reshape(rows, length, key_heads, half),
        (weights.key_norm_1, weights.key_norm_2),
        sight,
    )
    key_1, key_2 = (each.transpose(1, 2).reshape(rows * key_heads, length, half) for each in keys)
    value = _product(read, weights.value).reshape(rows, length, key_heads, 2 * half)
    value = value.transpose(1, 2).reshape(rows * key_heads, length, 2 * half)
    scores = torch.bmm(query_1, key_1.transpose(1, 2)).float() + torch.bmm(query_2, key_2.transpose(1, 2)).float()
    shares = torch.softmax(scores * (2 * half) ** -0.5 + sight.mask, -1).to(read.dtype)
    seen = torch.bmm(shares, value).reshape(rows, key_heads, length, group * 2 * half)
    return _product(seen.transpose(1, 2).reshape(rows, length, key_heads * group * 2 * half), weights.output)


def _product(values: Tensor, matrix: Matrix) -> Tensor:
    """`values` times the matrix."""
    made = F.linear(values, matrix.whole)
    if matrix.left is None or matrix.right is None:
        return made
    change = F.linear(F.linear(values.detach(), matrix.right), matrix.left)
    return made + (change - change.detach())  # adds nothing but the way back to the factors


def _turned(first: Tensor, second: Tensor, norms: tuple[Tensor, Tensor], sight: Sight) -> tuple[Tensor, Tensor]:
    """Both halves of every head, normed over the whole head and turned by their positions."""
    dtype, half = first.dtype, first.shape[-1]
    first, second = first.float(), second.float()
    squares = (first * first + second * second).sum(-1, keepdim=True)
    scale = torch.rsqrt(squares * (0.5 / half) + _EPSILON)
    first, second = first * scale * (1.0 + norms[0]), second * scale * (1.0 + norms[1])
    cosines, sines = sight.cosines, sight.sines
    return (first * cosines - second * sines).to(dtype), (second * cosines + first * sines).to(dtype)


def _sight(architecture: Architecture, longest: int, device: torch.device, *, full: bool) -> Sight:
    size = architecture.head_size
    theta = architecture.full_theta if full else architecture.sliding_theta
    frequencies = theta ** -(torch.arange(0, size, 2).float() / size)
    angles = torch.outer(torch.arange(longest).float(), frequencies)[None, :, None].to(device)
    at = torch.arange(longest, device=device)
    distance = at[:, None] - at[None]
    unseen = (distance < 0) if full else (distance < 0) | (distance >= architecture.window)
    mask = torch.zeros(longest, longest, device=device).masked_fill(unseen, _UNSEEN)
    group = architecture.heads // architecture.key_value_heads
    return Sight(angles.cos(), angles.sin(), mask.repeat_interleave(group, 0)[None])
