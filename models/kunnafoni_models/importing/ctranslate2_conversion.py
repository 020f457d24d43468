"""Checkpoints of transformers to CTranslate2, for what its own converter cannot know of current checkpoints.

It knows architectures, not catalogs. Weights are loaded by `checkpoints`, with its checks and messages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from kunnafoni_models.backend import ModelLoadError
from kunnafoni_models.backends.transformers_checkpoint import load_config, load_model, load_tokenizer
from kunnafoni_models.extras import needs_extra

with needs_extra("ctranslate2", "converting a checkpoint to CTranslate2"):
    from ctranslate2.converters import transformers as converters  # pyright: ignore[reportMissingTypeStubs]

# Where the layers of an architecture normalise. Checkpoints of some years ago said so in config.json and the converter
# asks for it; transformers has it in code, and a checkpoint that it saves does not say so any more.
_NORMALISES = {"bart": (False, True), "mbart": (True, True), "pegasus": (True, False)}


def convertible(folder: Path) -> bool:
    """True if CTranslate2 has a converter for the architecture of the checkpoint in `folder`.

    Raises:
        ModelFileError, ModelLoadError: See `checkpoints.load_config`.
    """
    loaders = cast("Any", converters)._MODEL_LOADERS  # noqa: SLF001 - there is no public list
    return type(load_config(folder)).__name__ in loaders


def convert(folder: Path, into: Path, *, quantization: str, pickled: bool = False) -> None:
    """Convert the checkpoint in `folder` and write the model's files into the new folder `into`.

    Args:
        folder: A checkpoint as transformers saves it.
        into: Does not exist yet.
        quantization: How weights are stored: `float32`, `float16`, `int8`, or another of CTranslate2's.
        pickled: Take weights that are no safetensors.

    Raises:
        ModelFileError, ModelLoadError: See `checkpoints.load_model`; also if the converter does not know what it finds.
    """
    try:
        converter = cast("Any", _Converter(str(folder)))
        converter.pickled = pickled
        converter.convert(str(into), quantization=quantization)
    except (ValueError, NotImplementedError, AttributeError, KeyError) as error:
        raise ModelLoadError(f"{folder}: CTranslate2 cannot convert it: {error}; try --backend transformers") from error


class _Converter(converters.TransformersConverter):
    pickled = False

    def load_model(self, model_class: Any, model_name_or_path: str, **kwargs: Any) -> Any:
        del model_class
        model = load_model(Path(model_name_or_path), pickled=self.pickled, dtype=kwargs["dtype"])
        config = model.config
        if config.model_type in _NORMALISES:
            config.normalize_before, config.normalize_embedding = _NORMALISES[config.model_type]
        # The base of rotary positions has moved into a table since, and the converter would take its own default.
        table = cast("dict[str, Any]", getattr(config, "rope_parameters", None) or {})
        if "rope_theta" in table:
            config.rope_theta = table["rope_theta"]
        if getattr(config, "query_pre_attn_scalar", None) not in {None, getattr(config, "head_dim", None)}:
            raise ModelLoadError(
                f"{model_name_or_path}: its attention is scaled in a way that CTranslate2 does not have"
            )
        if config.model_type == "marian" and model.get_input_embeddings().weight[config.pad_token_id].any():
            raise ModelLoadError(f"{model_name_or_path}: its answers do not start from zero, as CTranslate2's do")
        self._config = config
        return model

    def load_tokenizer(self, tokenizer_class: Any, model_name_or_path: str, **kwargs: Any) -> Any:
        del tokenizer_class, kwargs
        tokenizer = load_tokenizer(Path(model_name_or_path))
        # By this name the converter tells mBART-50 from mBART-25; transformers saves it no more.
        self._config.tokenizer_class = type(tokenizer).__name__
        if tokenizer.bos_token is None:  # mBART-50's has none since transformers 5, and the runtime wants one
            tokenizer.bos_token = tokenizer.cls_token
        return tokenizer
