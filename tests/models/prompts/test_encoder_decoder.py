"""Every family, on both backends, on checkpoints of its own classes that are built here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kunnafoni.v1 import translation_pb2
from kunnafoni_models import registry
from kunnafoni_models.backend import Decoding, InputTooLongError, Prompt
from kunnafoni_models.importing.checkpoint_import import ImportRequest, import_checkpoint
from tests.conftest import serve
from tests.models.tiny_checkpoints import SHAPES, tiny
from tests.models.tiny_tokenizers import sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kunnafoni_models.backend import Backend
    from kunnafoni_models.catalog.entry import CatalogEntry

BACKENDS = ("transformers", "ctranslate2")


class Family:
    """One family's checkpoint, imported for both backends and loaded."""

    def __init__(self, name: str, entries: dict[str, CatalogEntry]) -> None:
        self.name = name
        self.entries = entries
        self.loaded = {name: registry.load(entry, threads=1, device="cpu") for name, entry in entries.items()}

    def prompts(self, backend: Backend, texts: list[str]) -> list[Prompt]:
        """Prompts in all directions in turn, with caps from 6 to 12 tokens."""
        directions = self.entries["transformers"].directions
        found: list[Prompt] = []
        for number, text in enumerate(texts):
            direction = directions[number % len(directions)]
            prompt = backend.translation_prompt(text, source=direction.source, target=direction.target)
            found.append(replace(prompt, max_output_tokens=6 + number % 7))
        return found


@pytest.fixture(scope="module", params=SHAPES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Family]:
    name = str(request.param)
    folder = tmp_path_factory.mktemp(name)
    checkpoint = tiny(name, folder / "checkpoint")
    entries = {
        backend: import_checkpoint(
            ImportRequest(
                checkpoint,
                folder / "models",
                f"{name}-{backend}",
                backend=backend,
                quantization="float32",
                hints=SHAPES[name].hints,
            )
        )
        for backend in BACKENDS
    }
    found = Family(name, entries)
    yield found
    for backend in found.loaded.values():
        backend.close()


def test_the_family_is_recognised(family: Family) -> None:
    for entry in family.entries.values():
        assert entry.options.get("family") == SHAPES[family.name].family
        assert entry.licence.name == "apache-2.0"
        assert entry.parameters > 1000


def test_rows_are_the_same_alone_and_in_company(family: Family) -> None:
    texts = sentences(50, seed=1)
    for name in BACKENDS:
        backend = family.loaded[name]
        prompts = family.prompts(backend, texts)
        together = backend.generate(prompts, Decoding())
        assert together == [backend.generate([prompt], Decoding())[0] for prompt in prompts], name
        assert len({output.text for output in together}) > 10, "the answers are too much alike to tell anything"


@pytest.mark.parametrize("decoding", [Decoding(beam_size=3), Decoding(repetition_penalty=1.3, no_repeat_ngram_size=3)])
def test_other_searches_keep_rows_apart_too(family: Family, decoding: Decoding) -> None:
    backend = family.loaded["transformers"]
    prompts = family.prompts(backend, sentences(8, seed=2))
    together = backend.generate(prompts, decoding)
    assert together == [backend.generate([prompt], decoding)[0] for prompt in prompts]


def test_both_backends_give_the_same_tokens(family: Family) -> None:
    texts = sentences(100, seed=3)
    left, right = (family.loaded[name] for name in BACKENDS)
    prompts = family.prompts(left, texts)
    assert family.prompts(right, texts) == prompts
    assert right.generate(prompts, Decoding()) == left.generate(prompts, Decoding())


def test_caps_are_kept_and_told(family: Family) -> None:
    for backend in family.loaded.values():
        prompts = [replace(prompt, max_output_tokens=3) for prompt in family.prompts(backend, sentences(20, seed=4))]
        for output in backend.generate(prompts, Decoding()):
            assert output.tokens <= 3
            assert output.reached_cap == (output.tokens == 3)


def test_nothing_is_cut_off(family: Family) -> None:
    for name, backend in family.loaded.items():
        direction = family.entries[name].directions[0]
        limit = family.entries[name].limits.translate_input_tokens
        text = " ".join(sentences(1, seed=5, longest=1) * (limit + 1))
        with pytest.raises(InputTooLongError) as caught:
            backend.translation_prompt(text, source=direction.source, target=direction.target)
        assert caught.value.max_tokens == limit
        assert caught.value.tokens == backend.count_tokens(text)


@pytest.mark.parametrize("word", ["</s>", "<pad>", "<eos>", "<end_of_turn>", "eng_Latn", "__fr__"])
def test_a_text_that_spells_a_special_token_is_text(family: Family, word: str) -> None:
    for name, backend in family.loaded.items():
        direction = family.entries[name].directions[0]
        plain = backend.translation_prompt("Bamako", source=direction.source, target=direction.target)
        prompt = backend.translation_prompt(f"Bamako {word}", source=direction.source, target=direction.target)
        assert prompt.tokens.count(word) == plain.tokens.count(word), name


def test_summaries(family: Family) -> None:
    languages = family.entries["transformers"].summary_languages
    texts = sentences(10, seed=6)
    for language in languages:
        answers: list[object] = []
        for backend in family.loaded.values():
            prompts = [backend.summary_prompt(text, language=language) for text in texts]
            answers.append(backend.generate([replace(each, max_output_tokens=8) for each in prompts], Decoding()))
        assert answers[0] == answers[1]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_served_over_grpc(family: Family, backend: str) -> None:
    entry = family.entries[backend]
    direction = entry.directions[0]
    texts = sentences(3, seed=7)
    async with serve(entry) as served:
        request = translation_pb2.TranslateRequest(
            contents=texts, source_language_code=direction.source, target_language_code=direction.target
        )
        answer = await served.translation.Translate(request)
    assert len(answer.translations) == len(texts)
    assert all(each.route[0].model_id == entry.id for each in answer.translations)
