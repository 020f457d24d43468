"""The embedded model itself. No particular text is expected: the weights will be replaced."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kunnafoni_models import registry
from kunnafoni_models.backend import Decoding, InputTooLongError, ModelError, ModelLoadError, Prompt
from kunnafoni_models.prompts.decoder_only import DecoderOnlyPromptWriter

if TYPE_CHECKING:
    from kunnafoni_models.backend import Backend, Output
    from kunnafoni_models.catalog.entry import CatalogEntry

GREEDY = Decoding()
SENTENCES = {
    "en": "The rain has come and the children are going to school today.",
    "fr": "La pluie est venue et les enfants vont à l'école aujourd'hui.",
    "bm": "Sanji nana ani denmisɛnw bɛ taa lakɔli la bi.",
}
# Words that are in every second sentence of a language and in no sentence of the others.
FREQUENT = {
    "en": {"the", "is", "and", "of", "are", "to"},
    "fr": {"les", "le", "est", "et", "des", "à"},
    "bm": {"ye", "bɛ", "ka", "tɛ", "nana", "ani", "u"},
}
PAIRS = [(source, target) for source in SENTENCES for target in SENTENCES if source != target]
MIXED = [
    ("Hello.", "en", "fr"),
    ("The president of the republic spoke on Monday evening in the capital.", "en", "fr"),
    ("Le ministre a dit que la pluie est tombée.", "fr", "bm"),
    ("Un accord a été signé entre les deux pays après trois semaines de discussions à Bamako.", "fr", "en"),
    ("Sanji nana.", "bm", "fr"),
    ("Denmisɛnw bɛ taa lakɔli la sɔgɔma fɛ, u bɛ segin wula fɛ, ka taa baara kɛ foro la ni u bangebaw ye.", "bm", "en"),
    ("Prices rose by 4 percent.", "en", "bm"),
]


def mixed_prompts(model: Backend) -> list[Prompt]:
    return [model.translation_prompt(text, source=source, target=target) for text, source, target in MIXED]


def test_every_direction_has_outputs_in_its_language(embedded_model: Backend) -> None:
    batch = [embedded_model.translation_prompt(SENTENCES[s], source=s, target=t) for s, t in PAIRS]
    outputs = embedded_model.generate(batch, GREEDY)
    for (source, target), output in zip(PAIRS, outputs, strict=True):
        words = set(output.text.lower().replace(",", " ").replace(".", " ").split())
        counts = {language: len(words & frequent) for language, frequent in FREQUENT.items()}
        assert max(counts, key=lambda language: counts[language]) == target, (source, target, output.text)
        assert output.text == output.text.strip()
        assert not output.reached_cap
    assert embedded_model.generate(batch, GREEDY) == outputs


@pytest.mark.parametrize("language", ["en", "fr"])
def test_it_summarises_articles(embedded_model: Backend, language: str) -> None:
    prompt = embedded_model.summary_prompt(" ".join([SENTENCES[language]] * 3), language=language)
    [output] = embedded_model.generate([prompt], GREEDY)
    assert output.text


@pytest.mark.parametrize(
    "decoding",
    [GREEDY, Decoding(repetition_penalty=1.2), Decoding(no_repeat_ngram_size=3), Decoding(beam_size=2)],
    ids=["greedy", "penalty", "no repeat", "beam"],
)
def test_an_output_does_not_depend_on_the_other_prompts(embedded_model: Backend, decoding: Decoding) -> None:
    batch = [
        replace(prompt, max_output_tokens=min(prompt.max_output_tokens, 20)) for prompt in mixed_prompts(embedded_model)
    ]
    together = embedded_model.generate(batch, decoding)
    assert embedded_model.generate(batch[::-1], decoding) == together[::-1]
    assert [embedded_model.generate([prompt], decoding)[0] for prompt in batch] == together


def test_each_output_is_reported_as_soon_as_its_sequence_finishes(embedded_model: Backend) -> None:
    batch = mixed_prompts(embedded_model)
    reported: list[tuple[int, Output]] = []
    outputs = embedded_model.generate(batch, GREEDY, lambda index, output: reported.append((index, output)))
    assert sorted(reported) == list(enumerate(outputs)) != reported
    alike = [
        (index, output.tokens) for index, output in reported if batch[index].length_bucket == batch[1].length_bucket
    ]
    assert len(alike) > 1
    assert alike == sorted(alike, key=lambda each: each[1])


@pytest.mark.parametrize("decoding", [GREEDY, Decoding(beam_size=2)], ids=["greedy", "beam"])
def test_each_sequence_stops_at_its_own_cap(embedded_model: Backend, decoding: Decoding) -> None:
    batch = mixed_prompts(embedded_model)
    short = [replace(batch[1], max_output_tokens=3), batch[1], replace(batch[3], max_output_tokens=1)]
    outputs = embedded_model.generate(short, decoding)
    assert [output.reached_cap for output in outputs] == [True, False, True]
    assert [outputs[0].tokens, outputs[2].tokens] == [3, 1]
    assert outputs[0] == embedded_model.generate(short[:1], decoding)[0]


def test_a_sequence_in_a_loop_is_stopped(embedded_model: Backend) -> None:
    loop = Prompt(("<bos>", *["▁la"] * 12), max_output_tokens=300)
    stopped, other = embedded_model.generate([loop, mixed_prompts(embedded_model)[1]], GREEDY)
    assert stopped.reached_cap
    assert stopped.tokens < 60
    assert not other.reached_cap


def test_an_empty_batch_is_nothing(embedded_model: Backend) -> None:
    assert embedded_model.generate([], GREEDY) == []


def test_the_longest_text_passes_and_one_token_more_is_refused(
    embedded_model: Backend, embedded_entry: CatalogEntry
) -> None:
    limit = embedded_entry.limits.translate_input_tokens
    text = "a\t" * (limit // 2)
    assert embedded_model.count_tokens(text) == limit
    prompt = embedded_model.translation_prompt(text, source="en", target="bm")
    assert embedded_entry.limits.total_tokens is not None
    assert len(prompt.tokens) + prompt.max_output_tokens <= embedded_entry.limits.total_tokens
    with pytest.raises(InputTooLongError) as caught:
        embedded_model.translation_prompt(f"{text}a", source="en", target="bm")
    assert (caught.value.tokens, caught.value.max_tokens) == (limit + 1, limit)
    with pytest.raises(InputTooLongError):
        embedded_model.summary_prompt("a\t" * embedded_entry.limits.summarize_input_tokens, language="en")


def test_a_text_that_leaves_no_room_for_an_output_is_too_long(embedded_entry: CatalogEntry) -> None:
    entry = replace(embedded_entry, limits=replace(embedded_entry.limits, total_tokens=40))
    writer = DecoderOnlyPromptWriter(entry, (entry.folder / "tokenizer.json").read_bytes(), fill=False)
    prompts = list[Prompt]()
    with pytest.raises(InputTooLongError) as caught:
        prompts.extend(writer.translation("a\t" * words, source="en", target="fr") for words in range(1, 40))
    assert caught.value.max_tokens == 39
    assert prompts[-1].max_output_tokens == 40 - len(prompts[-1].tokens) in {1, 2}


def test_special_tokens_in_a_text_are_text(embedded_model: Backend) -> None:
    prompt = embedded_model.translation_prompt("a <eos> b <bos> {text}", source="en", target="fr")
    assert prompt.tokens.count("<bos>") == 1
    assert "<eos>" not in prompt.tokens
    assert "".join(prompt.tokens[1:]).replace("▁", " ").lstrip() == "English: a <eos> b <bos> {text}\nFrench:"


def test_prompts_to_translate_are_filled_up_and_those_to_summarise_are_not(embedded_entry: CatalogEntry) -> None:
    writer = DecoderOnlyPromptWriter(embedded_entry, (embedded_entry.folder / "tokenizer.json").read_bytes())
    batch = [writer.translation("la " * words, source="bm", target="fr") for words in range(1, 30)]
    assert {len(prompt.tokens) for prompt in batch} == {16, 32, 48}
    assert all(prompt.tokens[0] == "<bos>" != prompt.tokens[1] for prompt in batch)
    article = writer.summary(SENTENCES["en"], language="en")
    assert article.tokens[1] != "▁"


def test_a_filler_that_is_no_token_is_refused_at_load(embedded_entry: CatalogEntry) -> None:
    entry = replace(embedded_entry, prompts=replace(embedded_entry.prompts, filler="<no such>"))
    with pytest.raises(ModelLoadError, match="no token '<no such>'"):
        registry.load(entry, threads=1, parallel=1, device="cpu")


@pytest.mark.parametrize("text", ["", "\x00\x07", "\u0301\u0300", "שלום, هذا", "ߒߞߏ ߞߊ߲", "🎉" * 20, "\n\n\n"])
def test_odd_texts_have_an_output(embedded_model: Backend, text: str) -> None:
    prompt = replace(embedded_model.translation_prompt(text, source="en", target="fr"), max_output_tokens=4)
    assert len(embedded_model.generate([prompt], GREEDY)) == 1


def test_what_it_does_not_serve_is_named(embedded_model: Backend) -> None:
    with pytest.raises(ModelError, match="en to en"):
        embedded_model.translation_prompt("a", source="en", target="en")
    with pytest.raises(ModelError, match="bm"):
        embedded_model.summary_prompt("a", language="bm")


def test_options_and_devices_that_do_not_exist_are_named(embedded_entry: CatalogEntry) -> None:
    with pytest.raises(ModelLoadError, match="colour"):
        registry.load(embedded_entry, options={"colour": "red"})
    with pytest.raises(ModelLoadError, match="abacus"):
        registry.load(embedded_entry, device="abacus")


@pytest.mark.parametrize("backend", ["onnxruntime", "ctranslate2"])
def test_closing_twice_is_harmless_and_torch_stays_out(backend: str) -> None:
    code = f"""
import sys
from dataclasses import replace
from kunnafoni_models import registry
from kunnafoni_models.backend import Decoding
entry = replace(registry.catalog()["kunnafoni-270m"], backend={backend!r})
unclosed = registry.load(entry, threads=1)
model = registry.load(entry, threads=1, options={{"compute_type": "float32"}})
for each in (unclosed, model):
    assert each.generate([each.translation_prompt("Hello.", source="en", target="fr")], Decoding())[0].text
model.close()
model.close()
print(*sorted({{"torch", "transformers", "kunnafoni", "grpc"}} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=200)
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "", "")
