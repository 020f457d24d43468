"""Settings: command-line flags over environment (`KUNNAFONI_*`) over `kunnafoni.toml` over defaults.

The only reader of the environment. It knows names, defaults and bounds of settings, not what they are used for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as UnreadableError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

CONFIG_FILE = Path("kunnafoni.toml")
MAX_INT32 = 2**31 - 1  # the most that GetServerInfo can tell and that gRPC takes
PAIR = r"^[a-z]{2,3}>[a-z]{2,3}$"
ADDRESS = r"^.+:(\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$"
# What a value of that form should be, in words.
_FORMS = {ADDRESS: "give host:port", f"^$|{ADDRESS}": "give host:port, or nothing", PAIR: "write it as en>fr"}
_JSON = {"routes": '{"en>fr": "MODEL"}', "summaries": '{"fr": "MODEL"}'}


class SettingsError(Exception):
    """A setting is unknown or out of bounds; the message names it and where it may come from."""


class Settings(BaseSettings):
    """Everything that an operator can set. Sizes in the unit that the name ends with; 0 where it says so."""

    model_config = SettingsConfigDict(
        env_prefix="KUNNAFONI_", toml_file=CONFIG_FILE, frozen=True, extra="forbid", env_ignore_empty=True
    )

    address: Annotated[
        str, Field(pattern=ADDRESS, description="Where the server listens, host:port; port 0 is any")
    ] = "localhost:50051"
    metrics_address: Annotated[
        str, Field(pattern=f"^$|{ADDRESS}", description="Where Prometheus reads metrics, host:port; empty is nowhere")
    ] = ""
    server: Annotated[str, Field(pattern=ADDRESS, description="Where commands call, host:port")] = "localhost:50051"
    models: Annotated[tuple[str, ...], NoDecode, Field(min_length=1, description="Models to load")] = (
        "kunnafoni-270m",
    )
    models_dir: Annotated[Path | None, Field(description="Folder with further catalog entries and weights")] = None
    routes: Annotated[
        dict[Annotated[str, Field(pattern=PAIR)], str],
        Field(description="Model of a direction, as `en>fr`; without one, the best measured"),
    ] = {}
    summaries: Annotated[
        dict[str, str], Field(description="Model that summarises a language; without one, the best measured")
    ] = {}
    device: Annotated[Literal["auto", "cpu", "cuda"], Field(description="Where models run")] = "auto"
    threads: Annotated[int, Field(ge=0, description="Processor threads of each model; 0 means all cores")] = 0
    parallel_batches: Annotated[
        int,
        Field(
            ge=0,
            description="Batches at once, which share the threads; 0 means as many as fit, at most 4; "
            "continuous batching ignores it",
        ),
    ] = 0

    max_contents: Annotated[int, Field(ge=1, le=MAX_INT32, description="Most contents of one call")] = 1_000
    max_content_code_points: Annotated[
        int, Field(ge=1, le=MAX_INT32, description="Most code points of one content")
    ] = 200_000
    max_call_code_points: Annotated[int, Field(ge=1, le=MAX_INT32, description="Most code points of one call")] = (
        500_000
    )
    max_message_bytes: Annotated[int, Field(ge=1024, le=MAX_INT32, description="Most bytes of one gRPC message")] = (
        8 * 1024 * 1024
    )
    max_beam_size: Annotated[int, Field(ge=1, le=16, description="Largest beam that a request may ask for")] = 4

    max_batch_tokens: Annotated[
        int, Field(ge=64, description="Token budget of a batch: sequences x longest sequence")
    ] = 8_192
    max_batch_sequences: Annotated[
        int,
        Field(ge=1, description="Most sequences that run at once, a beam as many as its width, and as many of jobs"),
    ] = 64
    max_wait_ms: Annotated[
        float, Field(ge=0, description="How long a batch waits for more sequences; continuous batching does not wait")
    ] = 5.0
    max_queue_tokens: Annotated[
        int, Field(ge=1024, description="Most tokens that a new call may find before it; at least `max_batch_tokens`")
    ] = 14_000
    fallback_decoding: Annotated[
        bool,
        Field(description="Whether an output that looks wrong is decoded again, or its prompt changed"),
    ] = True
    pivots: Annotated[
        bool, Field(description="Whether a direction goes by way of another language where its model is better so")
    ] = True
    cache_bytes: Annotated[int, Field(ge=0, description="Memory for recent outputs; 0 turns it off")] = 32 * 1024 * 1024

    data_dir: Annotated[Path, Field(description="Folder of the jobs database", validate_default=True)] = Path(
        "~/.local/share/kunnafoni"
    )
    jobs_url: Annotated[
        str, Field(description="Database of the jobs (postgresql://...); empty is a file in data_dir")
    ] = ""
    job_lease_s: Annotated[float, Field(gt=0, description="Silence after which a dead server's items return")] = 30.0
    job_expiry_days: Annotated[
        float, Field(ge=0, le=36_500, description="Days until an ended job is deleted; 0 keeps all")
    ] = 30.0

    grace_s: Annotated[float, Field(ge=0, description="Time for running calls after SIGTERM")] = 30.0
    timeout_s: Annotated[float, Field(gt=0, description="Deadline of a command's call")] = 300.0
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="Least level logged")] = "info"

    @property
    def models_to_load(self) -> tuple[str, ...]:
        """`models`, and those that `routes` and `summaries` name besides; each once."""
        return tuple(dict.fromkeys((*self.models, *self.routes.values(), *self.summaries.values())))

    @field_validator("models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """`KUNNAFONI_MODELS` holds identifiers with commas between."""
        return [name.strip() for name in value.split(",")] if isinstance(value, str) else value

    @field_validator("models_dir", "data_dir")
    @classmethod
    def _at_home(cls, value: Path | None) -> Path | None:
        return value and value.expanduser()

    @field_validator("jobs_url")
    @classmethod
    def _is_database(cls, value: str) -> str:
        """Say nothing of what it holds: there may be a password in it."""
        if value:
            from sqlalchemy import make_url  # noqa: PLC0415 - no command but `serve` needs it, and it takes its time
            from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

            try:
                url = make_url(value)
            except (ArgumentError, ValueError):
                url = None
            if url is None or url.get_backend_name() not in {"sqlite", "postgresql"} or "@" in (url.host or ""):
                raise ValueError("is neither sqlite:///FILE nor postgresql://USER:PASSWORD@HOST/NAME; write @ as %40")
        return value

    @field_validator("max_queue_tokens")
    @classmethod
    def _holds_a_batch(cls, value: int, info: ValidationInfo) -> int:
        if value < (batch := info.data.get("max_batch_tokens", 0)):
            raise ValueError(f"is {value} and must be at least max_batch_tokens, which is {batch}")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put flags first, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def unknown_variables() -> list[str]:
    """Variables of the environment that are named like settings and are none, as a misspelt one is."""
    names = {f"KUNNAFONI_{name}".upper() for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.startswith("KUNNAFONI_") and name not in names)


def load_settings(**flags: Any) -> Settings:
    """Read the settings; a flag that is None was not given.

    Raises:
        SettingsError: a value is out of bounds or a name is unknown; the message lists each.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(map(_problem, error.errors()))
        raise SettingsError(
            f"wrong setting (flag, KUNNAFONI_* variable or line of {CONFIG_FILE}): {problems}"
        ) from error
    except UnreadableError as error:
        # The library names the field in its message alone.
        name = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "*")
        example = f", as {_JSON[name]}" if name in _JSON else ""
        raise SettingsError(f"wrong setting: KUNNAFONI_{name.upper()} is not JSON{example}") from error
    except (OSError, ValueError) as error:
        raise SettingsError(f"the settings or {CONFIG_FILE} cannot be read: {error}") from error


def _problem(error: ErrorDetails) -> str:
    """One wrong value: where it is and what is wrong with it."""
    place = ".".join(str(part) for part in error["loc"] if part != "[key]")
    wanted = _FORMS.get(error.get("ctx", {}).get("pattern", ""))
    return f"{place}: {error['input']!r}: {wanted}" if wanted else f"{place}: {error['msg']}"
