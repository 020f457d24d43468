"""The decoder of a CTranslate2 `model.bin` as float32 tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kunnafoni_models.gemma.architecture import Architecture, ArchitectureError
from kunnafoni_models.gemma.model_bin import read_decoder
from kunnafoni_models.training.errors import StartError
from kunnafoni_models.training.typed_torch import from_numpy

if TYPE_CHECKING:
    from torch import Tensor


def read_model_bin(data: bytes | bytearray) -> tuple[Architecture, dict[str, Tensor]]:
    """Read the decoder in `data`.

    Returns:
        Its sizes, and its tensors in float32 by their Hugging Face names; int8 rows are multiplied out.

    Raises:
        StartError: The bytes are no `model.bin`, or hold no Gemma 3 decoder.
    """
    try:
        architecture, parameters = read_decoder(data)
    except ArchitectureError as error:
        raise StartError(f"{error}: that cannot be trained") from error
    return architecture, {name: from_numpy(parameter.floats()) for name, parameter in parameters.items()}
