"""The sizes of a text decoder of the Gemma 3 family: values, and what a Hugging Face configuration says of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from kunnafoni_models.backend import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

# What the network has built in. A checkpoint with other values computes something else.
_FIXED: Mapping[str, Any] = {
    "model_type": "gemma3_text",
    "hidden_activation": "gelu_pytorch_tanh",
    "attention_bias": False,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
    "use_bidirectional_attention": False,
    "tie_word_embeddings": True,
    "rms_norm_eps": 1e-6,
}
_FULL, _SLIDING = "full_attention", "sliding_attention"


class ArchitectureError(ModelError):
    """The model has another architecture, or is a variant that is not supported here."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of a model (Gemma 3 technical report, 2025).

    Attributes:
        vocabulary: Rows of the embedding matrix, which is the output matrix as well.
        hidden: Width of the residual stream.
        feed_forward: Width inside a feed-forward block.
        heads: Query heads.
        key_value_heads: Heads of keys and values; each serves `heads / key_value_heads` query heads.
        head_size: Width of a head. Queries are scaled by its inverse square root.
        full_attention: For each layer, whether it attends to all earlier tokens; else to `window` tokens only.
        window: Tokens that the other layers attend to, the token itself included.
        full_theta, sliding_theta: Bases of the rotary positions in layers with full and with sliding attention.
    """

    vocabulary: int
    hidden: int
    feed_forward: int
    heads: int
    key_value_heads: int
    head_size: int
    full_attention: tuple[bool, ...]
    window: int
    full_theta: float
    sliding_theta: float

    @property
    def layers(self) -> int:
        """Number of layers."""
        return len(self.full_attention)

    @classmethod
    def from_hugging_face(cls, config: Mapping[str, Any]) -> Architecture:
        """Read the content of a checkpoint's `config.json`, as transformers 5 writes it.

        Raises:
            ArchitectureError: It has another architecture, or is a variant that the trainer does not support.
        """
        for name, value in _FIXED.items():
            if config.get(name, value) != value:
                raise ArchitectureError(f"the checkpoint has {name} {config[name]!r}; only {value!r} can be trained")
        try:
            if config.get("query_pre_attn_scalar", config["head_dim"]) != config["head_dim"]:
                raise ArchitectureError("the checkpoint does not scale its attention by the size of a head")
            rotary = {attention: dict(table) for attention, table in config["rope_parameters"].items()}
            if any(table.get("rope_type", "default") != "default" for table in rotary.values()):
                raise ArchitectureError("the checkpoint stretches its rotary positions; that cannot be trained")
            return cls(
                vocabulary=config["vocab_size"],
                hidden=config["hidden_size"],
                feed_forward=config["intermediate_size"],
                heads=config["num_attention_heads"],
                key_value_heads=config["num_key_value_heads"],
                head_size=config["head_dim"],
                full_attention=tuple(attention == _FULL for attention in config["layer_types"]),
                window=config["sliding_window"],
                full_theta=float(rotary[_FULL]["rope_theta"]),
                sliding_theta=float(rotary[_SLIDING]["rope_theta"]),
            )
        except KeyError as error:
            raise ArchitectureError(
                f"config.json has no {error.args[0]}: save the checkpoint again with transformers 5"
            ) from error

    def to_hugging_face(self) -> dict[str, Any]:
        """The content of `config.json`, without the ids of special tokens."""
        thetas = {_FULL: self.full_theta, _SLIDING: self.sliding_theta}
        return {
            "architectures": ["Gemma3ForCausalLM"],
            **_FIXED,
            "dtype": "float32",
            "vocab_size": self.vocabulary,
            "hidden_size": self.hidden,
            "intermediate_size": self.feed_forward,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_value_heads,
            "head_dim": self.head_size,
            "query_pre_attn_scalar": self.head_size,
            "max_position_embeddings": 32_768,
            "sliding_window": self.window,
            "layer_types": [_FULL if full else _SLIDING for full in self.full_attention],
            "rope_parameters": {
                attention: {"rope_theta": theta, "rope_type": "default"} for attention, theta in thetas.items()
            },
            "attention_dropout": 0.0,
            "initializer_range": 0.02,
            "use_cache": True,
        }

    def to_json(self) -> dict[str, Any]:
        """The attributes as values of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Architecture:
        """The inverse of `to_json`."""
        found: dict[str, Any] = {**values, "full_attention": tuple(values["full_attention"])}
        return cls(**found)
