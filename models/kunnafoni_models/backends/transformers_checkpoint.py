"""Loads models and tokenizers of transformers from checkpoint folders; every failure becomes an error of one line.

It knows no catalog and never touches the network.
"""

from __future__ import annotations

import threading
import warnings
from typing import TYPE_CHECKING, Any, cast

from kunnafoni_models.backend import ModelFileError, ModelLoadError
from kunnafoni_models.extras import needs_extra
from kunnafoni_models.machine.free_memory import check_free_memory

with needs_extra("transformers", "reading a checkpoint"):
    import torch
    import transformers
    from safetensors import SafetensorError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def load_config(folder: Path, *, remote_code: bool = False) -> Any:
    """Read the configuration of the checkpoint in `folder`.

    Raises:
        ModelFileError: There is none, or it is damaged.
        ModelLoadError: The architecture is unknown.
    """
    if not (folder / "config.json").is_file():
        raise ModelFileError(f"{folder} has no config.json: give the folder of a checkpoint as transformers saves it")
    try:
        return cast("Any", transformers.AutoConfig).from_pretrained(
            folder, local_files_only=True, trust_remote_code=remote_code
        )
    except OSError as error:
        raise ModelFileError(f"{folder / 'config.json'} cannot be read: copy the checkpoint again") from error
    except (ValueError, KeyError) as error:
        raise ModelLoadError(_unknown(folder, error)) from error


def load_model(folder: Path, *, remote_code: bool = False, pickled: bool = False, **options: Any) -> Any:
    """Load the checkpoint in `folder`, of whatever architecture its `config.json` names.

    Args:
        folder: A checkpoint as transformers saves it.
        remote_code: Run Python code that came with it.
        pickled: Accept weights that are not safetensors.
        options: Passed on to `from_pretrained`.

    Raises:
        ModelFileError: Weights are missing, damaged or do not fit the configuration.
        ModelLoadError: The architecture is unknown, or there is too little memory.
    """
    config = load_config(folder, remote_code=remote_code)
    check_free_memory(str(folder), sum(path.stat().st_size for path in _weights(folder)))
    model_class = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
    remedy = "copy the checkpoint again"
    memory = f"{folder}: too little memory: free some, or take a smaller model, a smaller dtype or the other backend"
    try:
        model, loaded = cast("Any", model_class).from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=None if pickled else True,
            trust_remote_code=remote_code,
            output_loading_info=True,
            **options,
        )
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise ModelLoadError(memory) from error
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{folder}: the weights cannot be read ({error}): {remedy}") from error
    except RuntimeError as error:
        if "memory" in str(error):
            raise ModelLoadError(memory) from error
        raise ModelFileError(f"{folder}: the weights do not fit config.json ({_line(error)}): {remedy}") from error
    except (ValueError, KeyError, ImportError, AttributeError) as error:
        raise ModelLoadError(_unknown(folder, error)) from error
    # The library initialises missing weights at random and goes on.
    if missing := sorted(cast("set[str]", loaded["missing_keys"])):
        raise ModelFileError(f"{folder}: the weights lack {', '.join(missing[:3])}: {remedy}")
    return model.eval()


def _weights(folder: Path) -> list[Path]:
    return list(folder.glob("*.safetensors")) or list(folder.glob("*.bin"))


def load_tokenizer(folder: Path, *, remote_code: bool = False) -> Any:
    """Load the tokenizer in `folder`.

    Raises:
        ModelFileError: Its files are missing, damaged or unknown.
    """
    # Marian's tokenizer recommends a package that it does not use then.
    warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
    try:
        return cast("Any", transformers.AutoTokenizer).from_pretrained(
            folder, local_files_only=True, trust_remote_code=remote_code
        )
    except Exception as error:  # the tokenizer classes and their libraries raise errors of many classes
        raise ModelFileError(f"{folder}: the tokenizer cannot be loaded: {_line(error)}") from error


class TransformersTokenizer:
    """A tokenizer of transformers as `encoder_decoder.Tokenizer`, with a lock because the library's have state."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        self.special_tokens = frozenset(cast("list[str]", tokenizer.all_special_tokens))

    def tokenize(self, text: str) -> list[str]:
        """See `Tokenizer`."""
        with self._lock:
            return self._tokenizer.tokenize(text, add_special_tokens=False)

    def detokenize(self, tokens: Sequence[str]) -> str:
        """See `Tokenizer`."""
        # A tokenizer's class may know special tokens that its file lacks.
        text_tokens = [token for token in tokens if token not in self.special_tokens]
        with self._lock:
            return self._tokenizer.decode(self.ids(text_tokens), skip_special_tokens=True)

    def has_token(self, token: str) -> bool:
        """See `Tokenizer`."""
        return self.ids([token]) != [self._tokenizer.unk_token_id]

    def ids(self, tokens: Sequence[str]) -> list[int]:
        """The ids of `tokens`; unknown ones get the id of the unknown token."""
        return self._tokenizer.convert_tokens_to_ids(list(tokens))

    def tokens_of(self, ids: Sequence[int]) -> list[str]:
        """The tokens with these ids; a model may have more ids than tokens, and those are left out."""
        tokens = cast("list[str | None]", self._tokenizer.convert_ids_to_tokens(list(ids)))
        return [token for token in tokens if token is not None]


def _unknown(folder: Path, error: Exception) -> str:
    return f"{folder}: transformers {transformers.__version__} does not know this architecture: {_line(error)}"


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]
