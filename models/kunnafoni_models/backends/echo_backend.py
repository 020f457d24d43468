"""A stand-in for a model: its output is its input in capitals, at once or after a delay. For tests and trials.

Certain words in a text make it misbehave, so that every fault of a real model can be provoked. It needs no files and no
runtime. A token is up to eight characters of a word, with the white space before it.

Options, all of them optional:
    batch_delay_ms    time that a batch takes
    token_delay_ms    added time of each step, in which every unfinished sequence gets a token
    fail_on           a text with this word fails its batch with RuntimeError
    loop_on           the output of a text with this word repeats the word up to the cap; with any decoding but the
                      default the output is as usual
    long_on           the output of a text with this word repeats itself up to the cap, with any decoding
"""

from __future__ import annotations

import re
import time
from itertools import cycle, islice
from typing import TYPE_CHECKING

from kunnafoni_models.backend import Decoding, InputTooLongError, ModelError, ModelLoadError, Output, Prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni_models.backend import Backend, OutputCallback
    from kunnafoni_models.catalog.entry import CatalogEntry

_TOKEN = re.compile(r"\s*\S{1,8}|\s+\Z")
_DELAYS = {"batch_delay_ms", "token_delay_ms"}
_TRIGGERS = {"fail_on", "loop_on", "long_on"}
_SUMMARY_TOKENS = 30


def load(entry: CatalogEntry, *, threads: int, parallel: int, device: str) -> Backend:
    """See `registry.load`; threads and device make no difference, and batches run one at a time."""
    del threads, parallel, device
    return EchoBackend(entry)


class EchoBackend:
    """See the module and `Backend`.

    Raises:
        ModelLoadError: The entry has an option that is unknown or of the wrong type.
    """

    parallel = 1
    supports_continuous_batching = False

    def __init__(self, entry: CatalogEntry) -> None:
        self._entry = entry
        self._delays_s = dict.fromkeys(_DELAYS, 0.0)
        self._triggers = dict.fromkeys(_TRIGGERS, "")
        for name, value in entry.options.items():
            if name in _DELAYS and isinstance(value, int | float):
                self._delays_s[name] = value / 1000
            elif name in _TRIGGERS and isinstance(value, str):
                self._triggers[name] = value
            else:
                raise ModelLoadError(f"{entry.id}: the backend echo takes no option {name} = {value!r}")

    def count_tokens(self, text: str) -> int:
        """See `Backend`."""
        return len(_TOKEN.findall(text))

    def translation_prompt(self, text: str, *, source: str, target: str) -> Prompt:
        """See `Backend`."""
        direction = self._entry.direction(source, target)
        if direction is None:
            raise ModelError(f"{self._entry.id} does not translate {source} to {target}; see its catalog entry")
        tokens = self._tokens(text, self._entry.limits.translate_input_tokens)
        return Prompt((f"[{source}>{target}] ", *tokens), direction.output_cap(len(tokens)))

    def summary_prompt(self, text: str, *, language: str) -> Prompt:
        """See `Backend`; a summary is the first thirty tokens."""
        if language not in self._entry.summary_languages:
            raise ModelError(f"{self._entry.id} does not summarise in {language}; see its catalog entry")
        tokens = self._tokens(text, self._entry.limits.summarize_input_tokens)
        return Prompt((f"[{language}] ", *tokens[:_SUMMARY_TOKENS]), self._entry.limits.summarize_output_tokens)

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, on_output: OutputCallback | None = None
    ) -> list[Output]:
        """See `Backend`.

        Raises:
            RuntimeError: A text holds the word `fail_on`.
        """
        all_tokens = [self._output_tokens(prompt, decoding) for prompt in prompts]
        time.sleep(self._delays_s["batch_delay_ms"])
        outputs: dict[int, Output] = {}
        steps = 0
        for index in sorted(range(len(prompts)), key=lambda index: len(all_tokens[index])):
            tokens, cap = all_tokens[index], prompts[index].max_output_tokens
            time.sleep((len(tokens) - steps) * self._delays_s["token_delay_ms"])
            steps = len(tokens)
            outputs[index] = Output("".join(tokens).strip(), steps, reached_cap=steps >= cap)
            if on_output:
                on_output(index, outputs[index])
        return [outputs[index] for index in range(len(prompts))]

    def close(self) -> None:
        """See `Backend`."""

    def _tokens(self, text: str, max_tokens: int) -> list[str]:
        tokens = _TOKEN.findall(text)
        if len(tokens) > max_tokens:
            raise InputTooLongError(len(tokens), max_tokens)
        return tokens

    def _output_tokens(self, prompt: Prompt, decoding: Decoding) -> list[str]:
        text = "".join(prompt.tokens[1:])
        tokens = [prompt.tokens[0], *(token.upper() for token in prompt.tokens[1:])]
        if self._triggered("fail_on", text):
            raise RuntimeError("the echo backend was told to fail")
        if self._triggered("loop_on", text) and decoding == Decoding():
            tokens = list(islice(cycle([f" {self._triggers['loop_on']}"]), prompt.max_output_tokens))
        if self._triggered("long_on", text):
            tokens = list(islice(cycle(tokens), prompt.max_output_tokens))
        return tokens[: prompt.max_output_tokens]

    def _triggered(self, trigger: str, text: str) -> bool:
        return bool(self._triggers[trigger]) and self._triggers[trigger] in text
