"""Converts checkpoints of transformers to CTranslate2, and tells its converter what current checkpoints do not say.

It knows architectures, no catalogs. `transformers_checkpoint` loads the weights, with its checks and messages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from kunnafoni_models.backend import ModelLoadError
from kunnafoni_models.backends.transformers_checkpoint import load_config, load_model, load_tokenizer
from kunnafoni_models.extras import needs_extra

with needs_extra("ctranslate2", "converting a checkpoint to CTranslate2"):
    from ctranslate2.converters import transformers as converters  # pyright: ignore[reportMissingTypeStubs]

# Where the layers of an architecture normalise: `normalize_before` and `normalize_embedding`. The converter reads both
# from config.json, as older checkpoints have it; transformers has them in code and saves them no more.
_NORMALISATION = {"bart": (False, True), "mbart": (True, True), "pegasus": (True, False)}


def convertible(folder: Path) -> bool:
    """True if CTranslate2 has a converter for the architecture of the checkpoint in `folder`.

    Raises:
        ModelFileError, ModelLoadError: See `transformers_checkpoint.load_config`.
    """
    loaders = cast("Any", converters)._MODEL_LOADERS  # noqa: SLF001 - there is no public list
    return type(load_config(folder)).__name__ in loaders


def convert(folder: Path, into: Path, *, quantization: str, pickled: bool = False) -> None:
    """Convert the checkpoint in `folder` and write the model's files into the new folder `into`.

    Args:
        folder: A checkpoint as transformers saves it.
        into: Does not exist yet.
        quantization: How weights are stored: `float32`, `float16`, `int8`, or another of CTranslate2's.
        pickled: Accept weights that are not safetensors.

    Raises:
        ModelFileError, ModelLoadError: See `transformers_checkpoint.load_model`; also if the converter does not know a
            part.
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
        if config.model_type in _NORMALISATION:
            config.normalize_before, config.normalize_embedding = _NORMALISATION[config.model_type]
        # Current checkpoints have the base of rotary positions in a table; the converter would take its own default.
        table = cast("dict[str, Any]", getattr(config, "rope_parameters", None) or {})
        if "rope_theta" in table:
            config.rope_theta = table["rope_theta"]
        if getattr(config, "query_pre_attn_scalar", None) not in {None, getattr(config, "head_dim", None)}:
            raise ModelLoadError(
                f"{model_name_or_path}: its attention is scaled in a way that CTranslate2 does not have"
            )
        if config.model_type == "marian" and model.get_input_embeddings().weight[config.pad_token_id].any():
            raise ModelLoadError(
                f"{model_name_or_path}: its outputs do not start from a zero embedding, as CTranslate2 expects"
            )
        self._config = config
        return model

    def load_tokenizer(self, tokenizer_class: Any, model_name_or_path: str, **kwargs: Any) -> Any:
        del tokenizer_class, kwargs
        tokenizer = load_tokenizer(Path(model_name_or_path))
        # The converter distinguishes mBART-50 from mBART-25 by this name, which transformers saves no more.
        self._config.tokenizer_class = type(tokenizer).__name__
        if tokenizer.bos_token is None:  # mBART-50's has none since transformers 5, and the runtime needs one
            tokenizer.bos_token = tokenizer.cls_token
        return tokenizer
